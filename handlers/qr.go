package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"strconv"

	"github.com/boombuler/barcode/qr"
	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// codeStyle says how a QR code is to be drawn.
type codeStyle struct {
	size   int // pixels a side
	margin int // modules of white around it
	level  qr.ErrorCorrectionLevel
}

// quietZone is the margin that ISO/IEC 18004 asks for; readers miss codes with less on a dark ground.
const quietZone = 4

// codeLevels are the shares of a code that may be unreadable: 7, 15, 25 and 30 in a hundred.
//
//nolint:gochecknoglobals // a constant table
var codeLevels = map[string]qr.ErrorCorrectionLevel{"L": qr.L, "M": qr.M, "Q": qr.Q, "H": qr.H}

// drawing is a format in which codes are drawn.
type drawing struct {
	contentType []string
	draw        func(code modules, style codeStyle) ([]byte, error)
}

//nolint:gochecknoglobals // constants that Go has no constants for
var (
	asSVG = drawing{contentSVG, drawSVG}
	asPNG = drawing{[]string{"image/png"}, drawPNG}
)

// codeKept tells caches how long they may keep a code. What it says never changes.
//
//nolint:gochecknoglobals // a constant that Go has no constant for
var codeKept = []string{"public, max-age=3600"}

// visitCode answers GET /l/{slug}/qr.svg and qr.png with the permanent address of an alias that leads somewhere.
func (a *api) visitCode(d drawing) func(*gin.Context, caller) error {
	return func(c *gin.Context, _ caller) error {
		if err := a.limitAddress(c); err != nil { // drawing costs more than sending on
			return err
		}
		slug := c.Param("slug")
		if _, err := a.Broker.Resolve(c.Request.Context(), broker.Visit{Slug: slug, Peek: true}); err != nil {
			return a.unresolved(c, err)
		}
		alias, err := a.Broker.Alias(c.Request.Context(), slug)
		if err != nil {
			return a.unresolved(c, err)
		}
		return a.drawAlias(c, alias, d, codeKept)
	}
}

// aliasCode answers GET /api/v1/aliases/{slug}/qr.svg and qr.png: what is printed is printed before it opens.
func (a *api) aliasCode(d drawing) func(*gin.Context, caller) error {
	return func(c *gin.Context, _ caller) error {
		alias, err := a.Broker.Alias(c.Request.Context(), c.Param("slug"))
		if err != nil {
			return err
		}
		return a.drawAlias(c, alias, d, noStore)
	}
}

// linkCode answers GET /api/v1/links/{key}/qr.svg and qr.png with a link itself, which ends.
func (a *api) linkCode(d drawing) func(*gin.Context, caller) error {
	return func(c *gin.Context, _ caller) error {
		return a.withKey(c, func(key broker.Key) error {
			link, err := a.Broker.Link(c.Request.Context(), key)
			switch {
			case err != nil:
				return err
			case !link.Outlives(a.Clock()):
				return broker.Errorf(broker.Conflict, "the link has ended: renew it")
			}
			style, err := readStyle(c.Request.URL.RawQuery, false)
			if err != nil {
				return err
			}
			return writeCode(c, link.URL, style, d, noStore)
		})
	}
}

func (a *api) drawAlias(c *gin.Context, alias broker.Alias, d drawing, kept []string) error {
	style, err := readStyle(c.Request.URL.RawQuery, true)
	if err != nil {
		return err
	}
	address := a.permanentAddress(alias.Slug)
	if address == "" {
		return broker.Errorf(broker.Conflict, "a code carries the permanent address, which needs public_url in the configuration")
	}
	cq, err := a.spliceable(c.Request.Context(), c.Request.URL.RawQuery, alias)
	if err != nil {
		return err
	}
	if cq != "" {
		address += "?cq=" + url.QueryEscape(cq)
	}
	return writeCode(c, address, style, d, kept)
}

// spliceable gives the cq that a code shall carry, out of the parameters of an address. What would not be spliced on is
// refused here, where somebody can mend it, and not passed over as with a visitor.
func (a *api) spliceable(ctx context.Context, query string, alias broker.Alias) (string, error) {
	cq, unspliced := spliceParam(query)
	if cq == "" && unspliced == "" {
		return "", nil
	}
	if unspliced == "" && alias.Target.Query != "" {
		unspliced = "the alias has a query of its own"
	}
	if unspliced == "" {
		target := alias.Target
		target.Query = cq
		plan, err := a.Broker.Plan(ctx, broker.Request{Target: target, Splice: new(true)})
		if err != nil {
			return "", err
		}
		cq, unspliced = plan.CQ, plan.Unspliced
	}
	if unspliced != "" {
		return "", broker.Errorf(broker.InvalidArgument, "cq cannot be spliced on: %s", unspliced)
	}
	return cq, nil
}

// readStyle reads the parameters of a code; cq is read elsewhere.
func readStyle(query string, takesCQ bool) (codeStyle, error) {
	style := codeStyle{size: 512, margin: quietZone, level: qr.M}
	err := eachParam(query, func(name, value string) (err error) {
		switch name {
		case "size":
			style.size, err = between(name, value, 64, 2048)
		case "margin":
			style.margin, err = between(name, value, 0, 16)
		case "level":
			level, ok := codeLevels[value]
			if !ok {
				return broker.Errorf(malformed, "level must be one of L, M, Q and H")
			}
			style.level = level
		case "cq":
			if !takesCQ {
				return broker.Errorf(malformed, "a link takes no cq: only an alias does")
			}
		default:
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return err
	})
	return style, err
}

func between(name, value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, broker.Errorf(malformed, "%s must be a number from %d to %d", name, least, most)
	}
	return n, nil
}

func writeCode(c *gin.Context, text string, style codeStyle, d drawing, kept []string) error {
	code, err := encodeModules(text, style.level)
	if err != nil {
		return err
	}
	body, err := d.draw(code, style)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(body)
	etag := quoted(hex.EncodeToString(digest[:8]))
	h := c.Writer.Header()
	h["Cache-Control"] = kept
	h.Set("ETag", etag)
	if isKnown(c.Request, etag) {
		c.Writer.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBytes(c, http.StatusOK, d.contentType, body)
	return nil
}

// modules are the squares of a code, row by row: true is dark.
type modules [][]bool

func encodeModules(text string, level qr.ErrorCorrectionLevel) (modules, error) {
	code, err := qr.Encode(text, level, qr.Unicode)
	if err != nil {
		return nil, broker.Errorf(broker.InvalidArgument, "%d characters are too many for a code of this level", len(text))
	}
	rows := make(modules, code.Bounds().Dy())
	for y := range rows {
		rows[y] = make([]bool, code.Bounds().Dx())
		for x := range rows[y] {
			rows[y][x] = code.At(x, y) == color.Black
		}
	}
	return rows, nil
}

// drawSVG draws a code of one unit a module: two paths, and in the dark one each run of modules as a rectangle.
func drawSVG(code modules, style codeStyle) ([]byte, error) {
	side, size := strconv.Itoa(len(code)+2*style.margin), strconv.Itoa(style.size)
	b := make([]byte, 0, 16<<10)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+side+` `+side+`" width="`+size+`" height="`+size+
		`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`+side+`v`+side+`H0z"/><path fill="#000" d="`...)
	for y, row := range code {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				b = strconv.AppendInt(append(b, 'M'), int64(from+style.margin), 10)
				b = strconv.AppendInt(append(b, ' '), int64(y+style.margin), 10)
				b = strconv.AppendInt(append(b, 'h'), int64(x-from), 10)
				b = strconv.AppendInt(append(b, `v1h-`...), int64(x-from), 10)
				b = append(b, 'z')
			}
		}
	}
	return append(b, "\"/></svg>\n"...), nil
}

// drawPNG draws a code whose modules are whole pixels, so that it is sharp; what is left over widens the margin.
func drawPNG(code modules, style codeStyle) ([]byte, error) {
	side := len(code) + 2*style.margin
	scale := style.size / side
	if scale == 0 {
		return nil, broker.Errorf(broker.InvalidArgument, "size is too small: this code with its margin has %d modules a side", side)
	}
	picture := image.NewPaletted(image.Rect(0, 0, style.size, style.size), color.Palette{color.White, color.Black})
	corner := (style.size - len(code)*scale) / 2
	for y, row := range code {
		line := picture.Pix[(corner+y*scale)*picture.Stride:]
		for x, dark := range row {
			for i := range scale {
				if dark {
					line[corner+x*scale+i] = 1
				}
			}
		}
		for i := 1; i < scale; i++ {
			copy(line[i*picture.Stride:(i+1)*picture.Stride], line[:picture.Stride])
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	return b.Bytes(), err
}
