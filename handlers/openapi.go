package handlers

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed openapi.yaml
var openAPI []byte

// serveOpenAPI answers GET /openapi.yaml.
func serveOpenAPI(c *gin.Context, _ caller) error {
	writeBytes(c, http.StatusOK, contentYAML, openAPI)
	return nil
}
