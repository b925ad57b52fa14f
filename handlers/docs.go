package handlers

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

var (
	//go:embed docs.html
	docsHTML string
	//go:embed docs.css
	docsCSS string
)

// docs answers GET /docs with openapi.yaml as a page, written once. It runs no script and loads nothing, and its
// policy forbids both.
func docs(publicURL string) func(*gin.Context, caller) error {
	page, err := renderDocs(publicURL)
	if err != nil {
		panic(err) // of files that are part of the program, which a test renders
	}
	policy := pagePolicy(docsCSS)
	return func(c *gin.Context, _ caller) error {
		c.Writer.Header()["Content-Security-Policy"] = policy
		writeBytes(c, http.StatusOK, contentHTML, page)
		return nil
	}
}

func renderDocs(publicURL string) ([]byte, error) {
	spec, err := readSpec(openAPI)
	if err != nil {
		return nil, err
	}
	t, err := template.New("docs").Funcs(template.FuncMap{
		"prose":  prose,
		"inline": inline,
		"css":    func() template.CSS { return template.CSS(docsCSS) }, //nolint:gosec // our own file
	}).Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = t.Execute(&page, struct {
		Title, Summary, Description string
		Groups                      []docsGroup
		Codes                       []docsCode
	}{
		spec.get("info", "title").text(), spec.get("info", "summary").text(), spec.get("info", "description").text(),
		docsGroups(spec, publicURL), docsCodes(),
	})
	return page.Bytes(), err
}

// docsGroup is what stands under one tag.
type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

// docsOperation is one method of one address.
type docsOperation struct {
	ID, Method, Path, Summary, Description, Example string
	Parameters, Fields, Answers                     []docsField
}

// docsField is a parameter, a header, a field of a body, or an answer by its status with the headers and fields it has.
type docsField struct {
	Name, Type, Description string
	Required                bool
	Headers, Fields         []docsField
}

func docsGroups(spec node, publicURL string) []docsGroup {
	var groups []docsGroup
	base := publicURL
	for server := range spec.get("servers").items() {
		base = cmp.Or(base, server.get("url").text())
	}
	for tag := range spec.get("tags").items() {
		group := docsGroup{Name: tag.get("name").text(), Description: tag.get("description").text()}
		for path, item := range spec.get("paths").members() {
			for method, op := range item.members() {
				if op.get("tags").has(group.Name) {
					group.Operations = append(group.Operations, docsOperationOf(base, path, method, item, op))
				}
			}
		}
		groups = append(groups, group)
	}
	return groups
}

func docsOperationOf(base, path, method string, item, op node) docsOperation {
	body := op.get("requestBody", "content", "application/json")
	o := docsOperation{
		ID: op.get("operationId").text(), Method: strings.ToUpper(method), Path: path,
		Summary: op.get("summary").text(), Description: op.get("description").text(),
		Fields: docsFields(body.get("schema")),
	}
	if example := body.get("example"); example.exists() {
		o.Example = "curl -H 'Authorization: Bearer KEY' -d '" + example.json() + "' " + base + path
	}
	for _, list := range []node{item.get("parameters"), op.get("parameters")} {
		for p := range list.items() {
			o.Parameters = append(o.Parameters, docsHeader(p.get("name").text(), p))
		}
	}
	for status, answer := range op.get("responses").members() {
		field := docsField{Name: status, Description: answer.get("description").text()}
		if strings.HasPrefix(status, "2") {
			field.Fields = docsFields(answer.get("content", "application/json", "schema"))
		}
		for name, header := range answer.get("headers").members() {
			field.Headers = append(field.Headers, docsHeader(name, header))
		}
		o.Answers = append(o.Answers, field)
	}
	return o
}

// docsHeader describes a header or a parameter, which are written alike.
func docsHeader(name string, header node) docsField {
	return docsField{
		Name: name, Type: typeOf(header.get("schema")), Description: header.get("description").text(),
		Required: header.get("required").text() == "true",
	}
}

// docsFields lists the fields of an object. Of alternatives it takes the first, of a list the fields of an item.
func docsFields(schema node) []docsField {
	for first := range schema.get("oneOf").items() {
		return docsFields(first)
	}
	if items := schema.get("properties", "items", "items"); items.exists() {
		return docsFields(items)
	}
	var fields []docsField
	for name, property := range schema.get("properties").members() {
		fields = append(fields, docsField{
			Name: name, Type: typeOf(property), Description: property.get("description").text(),
			Required: schema.get("required").has(name),
		})
	}
	return fields
}

// typeOf says in a few words what a value may be.
func typeOf(schema node) string {
	if schema.get("enum").exists() || schema.get("const").exists() {
		var values []string
		for value := range schema.get("enum").items() {
			if text := value.text(); text != "" && text != "null" {
				values = append(values, text)
			}
		}
		return cmp.Or(strings.Join(values, " | "), schema.get("const").text())
	}
	for kind := range schema.get("type").items() {
		return kind.text() // the others say how it may be left out, or written otherwise
	}
	return cmp.Or(schema.get("format").text(), schema.get("type").text(), "object")
}

// docsCode is a code of the native interface's problems.
type docsCode struct {
	Code            broker.Code
	Status, ErrCode int
	Title, Hint     string
}

func docsCodes() []docsCode {
	var codes []docsCode
	for code := range verdicts {
		r := refusalOf(code)
		codes = append(codes, docsCode{Code: code, Status: r.status, ErrCode: r.errcode, Title: r.title, Hint: r.hint})
	}
	slices.SortFunc(codes, func(a, b docsCode) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Code, b.Code))
	})
	return codes
}

// prose turns plain text into paragraphs.
func prose(text string) template.HTML {
	var paragraphs template.HTML
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if paragraph != "" {
			paragraphs += "<p>" + inline(paragraph) + "</p>\n"
		}
	}
	return paragraphs
}

// inline escapes plain text, and turns what stands between backquotes into code.
func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(template.HTMLEscapeString(text), "`") {
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}
