package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// staticFile is a file that pages refer to. The hash of its content stands in its address, so that browsers may keep it
// for good.
type staticFile struct {
	content     []byte
	contentType []string
	hash        string
}

//nolint:gochecknoglobals // constant tables
var (
	contentTypes = map[string][]string{
		".css": {"text/css; charset=utf-8"},
		".js":  {"text/javascript; charset=utf-8"},
		".svg": contentSVG,
	}
	forGood = []string{"public, max-age=31536000, immutable"}
)

func readStatic(files fs.FS) (map[string]staticFile, error) {
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		return nil, err
	}
	all := make(map[string]staticFile, len(names))
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			return nil, fmt.Errorf("%s: files of this kind have no Content-Type", name)
		}
		digest := sha256.Sum256(content)
		all[path.Base(name)] = staticFile{content, contentType, hex.EncodeToString(digest[:6])}
	}
	return all, nil
}

// staticURL is the address of a file, for templates.
func (p *Pages) staticURL(name string) (string, error) {
	file, ok := p.static[name]
	if !ok {
		return "", fmt.Errorf("there is no file static/%s", name)
	}
	return "/static/" + name + "?v=" + file.hash, nil
}

// serveStatic answers GET /static/{name}.
func (a *api) serveStatic(c *gin.Context, _ caller) error {
	file, ok := a.Pages.static[c.Param("name")]
	if !ok {
		return broker.Errorf(noRoute, "there is nothing at this address")
	}
	h := c.Writer.Header()
	h.Set("ETag", quoted(file.hash))
	if param(c.Request.URL.RawQuery, "v") == file.hash {
		h["Cache-Control"] = forGood
	}
	if isKnown(c.Request, quoted(file.hash)) {
		c.Writer.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBytes(c, http.StatusOK, file.contentType, file.content)
	return nil
}
