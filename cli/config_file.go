package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"linkbroker/wechat"
)

// readFile turns a YAML document into a tree of maps, lists and texts. It walks the document beside the type of
// Config, so that it knows the line of every key: of the unknown ones and of those set twice.
//
// All values stay texts. YAML would make a number of a key written as 0123456789012345, and lose its zero.
func (l *loader) readFile(name string, document []byte) map[string]any {
	l.file = name
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(document))
	if err := decoder.Decode(&root); err != nil {
		if !errors.Is(err, io.EOF) { // an empty file
			l.report(name, "", "%s", syntaxError(err))
		}
		return nil
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.report(name, "", "has more than one YAML document: only one --- may stand in it")
	}
	tree, _ := l.value(root.Content[0], "", reflect.TypeFor[Config]()).(map[string]any)
	return tree
}

// syntaxError words an error of the parser. It quotes the name of an unknown alias, which is what an unquoted
// secret that begins with * looks like.
func syntaxError(err error) string {
	if strings.Contains(err.Error(), "anchor") {
		return "a value begins with * or &, which YAML reads as an alias or an anchor: put it in quotes"
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// value reads what stands at a path, nil if nothing does.
func (l *loader) value(node *yaml.Node, path string, kind reflect.Type) any {
	switch {
	case node.Kind == yaml.AliasNode:
		l.reportAt(node, path, "aliases are not supported: write the value out, or put it in quotes if it begins with *")
		return nil
	case node.Tag == "!!null":
		return nil
	case isSection(kind) && (node.Kind != yaml.ScalarNode || !isTextual(kind)):
		return l.section(node, path, kind)
	case kind.Kind() == reflect.Slice:
		return l.list(node, path, kind.Elem())
	case node.Kind != yaml.ScalarNode:
		l.reportAt(node, path, "must be a single value")
		return nil
	case kind == reflect.TypeFor[wechat.Secret]() && node.Value != "" && !reference.MatchString(node.Value):
		l.literals = append(l.literals, path)
	}
	return l.scalar(node, path)
}

func (l *loader) section(node *yaml.Node, path string, kind reflect.Type) any {
	if node.Kind != yaml.MappingNode {
		l.reportAt(node, path, "must be a mapping of %s", names(fieldsOf(kind)))
		return nil
	}
	tree := make(map[string]any)
	lines := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, node := node.Content[i], node.Content[i+1]
		f, known := find(fieldsOf(kind), name.Value)
		switch {
		case !known:
			l.reportAt(name, path, "%s", unknownKey(name.Value, fieldsOf(kind)))
			continue
		case lines[f.name] != 0:
			l.reportAt(name, join(path, f.name), "is set twice, first in line %d", lines[f.name])
			continue
		}
		lines[f.name] = name.Line
		if value := l.value(node, join(path, f.name), f.kind); value != nil {
			tree[f.name] = value
		}
	}
	return tree
}

func (l *loader) list(node *yaml.Node, path string, kind reflect.Type) any {
	if node.Kind != yaml.SequenceNode {
		l.reportAt(node, path, "must be a list")
		return nil
	}
	tree := make([]any, 0, len(node.Content))
	l.origins[path] = l.line(node)
	for i, item := range node.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		l.origins[at] = l.line(item)
		tree = append(tree, l.value(item, at, kind))
	}
	return tree
}

func (l *loader) scalar(node *yaml.Node, path string) any {
	text, err := expand(node.Value, l.lookup)
	if err != nil {
		l.reportAt(node, path, "%s", err)
		return nil
	}
	l.origins[path] = l.line(node)
	return text
}

// line says where a node stands in the file.
func (l *loader) line(node *yaml.Node) string { return fmt.Sprintf("%s:%d", l.file, node.Line) }

func (l *loader) reportAt(node *yaml.Node, path, format string, args ...any) {
	l.report(l.line(node), path, format, args...)
}

func find(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// unknownKey names a key that is not known, and the one that was probably meant.
func unknownKey(name string, fields []field) string {
	if meant := nearest(name, fields); meant != "" {
		return fmt.Sprintf("key %.40q is not known: did you mean %q?", name, meant)
	}
	return fmt.Sprintf("key %.40q is not known: known are %s", name, names(fields))
}

func names(fields []field) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return strings.Join(all, ", ")
}
