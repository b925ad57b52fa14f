package handlers

import (
	"encoding/json"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a place in openapi.yaml, in the order in which it was written. What is not there is an empty node.
type node struct {
	at, root *yaml.Node
}

func readSpec(text []byte) (node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return node{}, err
	}
	root := document.Content[0]
	return node{at: root, root: root}, nil
}

func (n node) exists() bool { return n.at != nil }

// get goes down by names, through anchors and references. Beside a reference, names of its own come first.
func (n node) get(names ...string) node {
	for _, name := range names {
		found := n.member(name)
		if !found.exists() && n.member("$ref").exists() {
			found = n.follow(n.member("$ref").text()).get(name)
		}
		n = found
	}
	return n
}

func (n node) follow(ref string) node {
	names := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
	return node{at: n.root, root: n.root}.get(names...)
}

func (n node) member(name string) node {
	for key, value := range n.plainMembers() {
		if key == name {
			return value
		}
	}
	return node{root: n.root}
}

// members walks an object.
func (n node) members() iter.Seq2[string, node] {
	if ref := n.member("$ref"); ref.exists() {
		return n.follow(ref.text()).plainMembers()
	}
	return n.plainMembers()
}

func (n node) plainMembers() iter.Seq2[string, node] {
	return func(yield func(string, node) bool) {
		at := n.resolved()
		if at == nil || at.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(at.Content); i += 2 {
			if !yield(at.Content[i].Value, node{at: at.Content[i+1], root: n.root}) {
				return
			}
		}
	}
}

// items walks a list.
func (n node) items() iter.Seq[node] {
	return func(yield func(node) bool) {
		at := n.resolved()
		if at == nil || at.Kind != yaml.SequenceNode {
			return
		}
		for _, item := range at.Content {
			if !yield(node{at: item, root: n.root}) {
				return
			}
		}
	}
}

// has reports whether a list has the text.
func (n node) has(text string) bool {
	for item := range n.items() {
		if item.text() == text {
			return true
		}
	}
	return false
}

func (n node) resolved() *yaml.Node {
	if n.at != nil && n.at.Kind == yaml.AliasNode {
		return n.at.Alias
	}
	return n.at
}

// text gives a scalar, empty for anything else.
func (n node) text() string {
	if at := n.resolved(); at != nil && at.Kind == yaml.ScalarNode {
		return at.Value
	}
	return ""
}

// json gives the place as JSON, empty for an empty one.
func (n node) json() string {
	if !n.exists() {
		return ""
	}
	var value any
	if err := n.at.Decode(&value); err != nil {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
