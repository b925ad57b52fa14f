package broker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"linkbroker/broker"
)

// TestEveryCodeIsExplained reads the constants, so that a new one cannot be forgotten.
func TestEveryCodeIsExplained(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no literal", spec.Names[0])
		}
		code, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := broker.ExplainCode(broker.Code(code)); !ok || e.Code != broker.Code(code) || e.ErrCode != 0 {
			t.Errorf("%s is not explained: %+v", code, e)
		}
		found++
		return true
	})
	if found < 20 {
		t.Errorf("found only %d codes", found)
	}
}

// TestEveryErrcodeThatIsKnownIsExplained goes through those whose meaning for us is written down.
func TestEveryErrcodeThatIsKnownIsExplained(t *testing.T) {
	for _, errcode := range []int{
		-1, 40001, 40002, 40013, 40014, 40066, 40097, 40125, 40164, 40165, 40212, 40225, 40243, 41001, 42001, 43002, 43104, 44002, 44990, 44993, 45009, 45011,
		47001, 48001, 85079, 85400, 85401, 85402, 85403,
	} {
		if e, ok := broker.Explain(errcode); !ok || e.ErrCode != errcode || e.Code == "" {
			t.Errorf("%d is not explained: %+v", errcode, e)
		}
	}
	for _, errcode := range []int{0, 1, 99999} {
		if e, ok := broker.Explain(errcode); ok {
			t.Errorf("%d is explained: %+v", errcode, e)
		}
	}
}

func TestAnExplanationIsWholeInBothLanguages(t *testing.T) {
	classes := map[broker.Class]bool{broker.Caller: true, broker.AppOwner: true, broker.Operator: true, broker.Nobody: true, broker.Linkbroker: true}
	all := broker.Explanations()
	if len(all) < 45 {
		t.Errorf("only %d explanations", len(all))
	}
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for _, e := range all {
		if _, ok := broker.ExplainCode(e.Code); !ok || !classes[e.Class] {
			t.Errorf("%+v has a code or a class that is none", e)
		}
		for _, text := range []broker.Text{e.Meaning, e.Remedy} {
			english, chinese := text.In(broker.English), text.In(broker.Chinese)
			if english == "" || strings.ContainsFunc(english, han) || !strings.ContainsFunc(chinese, han) {
				t.Errorf("%d %s: %q, %q", e.ErrCode, e.Code, english, chinese)
			}
		}
	}
}
