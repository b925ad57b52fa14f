package cli

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"linkbroker/wechat"
)

// Print writes the effective configuration as YAML, where each value was set beside it, and no secret.
func (s *Settings) Print(w io.Writer) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(s.node("", reflect.ValueOf(s.Config))); err != nil {
		return err
	}
	return encoder.Close()
}

func (s *Settings) node(path string, value reflect.Value) *yaml.Node {
	switch {
	case isSection(value.Type()):
		return s.sectionNode(path, value)
	case isSectionList(value.Type()):
		return s.listNode(path, value)
	}
	node := new(yaml.Node)
	if err := node.Encode(plain(value.Interface())); err != nil {
		node.SetString(fmt.Sprint(value.Interface()))
	}
	if node.Kind == yaml.SequenceNode {
		node.Style = yaml.FlowStyle
	}
	node.LineComment = s.Origin(path)
	return node
}

func (s *Settings) sectionNode(path string, section reflect.Value) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for i, f := range fieldsOf(section.Type()) {
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: f.name}
		node.Content = append(node.Content, key, s.node(join(path, f.name), section.Field(i)))
	}
	return node
}

func (s *Settings) listNode(path string, list reflect.Value) *yaml.Node {
	node := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range list.Len() {
		node.Content = append(node.Content, s.node(fmt.Sprintf("%s[%d]", path, i), list.Index(i)))
	}
	return node
}

// plain gives a value as config.yaml would say it.
func plain(value any) any {
	switch v := value.(type) {
	case time.Duration:
		return shortDuration(v)
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v
	case wechat.Secret:
		if v == "" {
			return ""
		}
		return v.String()
	case tokenURL:
		return v.shown()
	case StoreURL:
		return v.String()
	default:
		return v
	}
}

// shortDuration writes 1h instead of 1h0m0s.
func shortDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
