package handlers

import "github.com/gin-gonic/gin"

// overview answers GET /.
func (a *api) overview(c *gin.Context, who caller) error {
	return a.page(c, who, "overview", nil)
}
