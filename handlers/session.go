package handlers

import "github.com/gin-gonic/gin"

// whoAdministers finds out who asks on the admin listener.
func (a *api) whoAdministers(c *gin.Context) (caller, error) {
	return a.whoHasKey(credential{bearer(c), secretKeys})
}
