package broker

import (
	"cmp"
	"maps"
	"slices"
)

// Class says who can do something about an error.
type Class string

// The classes.
const (
	Caller     Class = "caller"     // who asks: ask differently
	AppOwner   Class = "app"        // the mini program's administrator, in the WeChat console
	Operator   Class = "operator"   // who runs linkbroker
	Nobody     Class = "nobody"     // it passes: ask again later
	Linkbroker Class = "linkbroker" // a defect: report it
)

// Explanation says what an errcode of WeChat's or a Code means, and what to do about it.
type Explanation struct {
	ErrCode int  // WeChat's; 0 = a Code is explained
	Code    Code // that is explained, or as which linkbroker answers WeChat's errcode
	Class   Class
	Meaning Text
	Remedy  Text
}

// Explain explains an errcode of WeChat's, as WeChat or linkbroker's facade says it.
func Explain(errcode int) (Explanation, bool) {
	e, ok := errcodeTexts[errcode]
	e.ErrCode = errcode
	return e, ok
}

// ExplainCode explains a Code of this package.
func ExplainCode(code Code) (Explanation, bool) {
	e, ok := codeTexts[code]
	e.Code = code
	return e, ok
}

// Explanations gives all there are: the codes in the order of their names, then the errcodes in theirs.
func Explanations() []Explanation {
	all := make([]Explanation, 0, len(codeTexts)+len(errcodeTexts))
	for _, code := range slices.Sorted(maps.Keys(codeTexts)) {
		e, _ := ExplainCode(code)
		all = append(all, e)
	}
	for _, errcode := range slices.SortedFunc(maps.Keys(errcodeTexts), cmp.Compare[int]) {
		e, _ := Explain(errcode)
		all = append(all, e)
	}
	return all
}
