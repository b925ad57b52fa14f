package cli

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"linkbroker/broker"
	"linkbroker/handlers"
)

func newExplain() *cobra.Command {
	var format, language string
	cmd := &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Say what an errcode of WeChat's or a code of linkbroker's means, and what to do",
		Long: `Says what an errcode of WeChat's means, or a code of linkbroker's own errors, who can do something
about it, and what. Without a code it lists all it knows. It asks nobody.`,
		Example: `  linkbroker explain 40165
  linkbroker explain quota_exhausted --lang=zh
  linkbroker explain`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, in := output{cmd.OutOrStdout(), format}, broker.Language(language)
			if len(args) == 0 {
				return explainAll(out, in)
			}
			e, ok := explanation(args[0])
			if !ok {
				return fmt.Errorf("%.40q is not known: `linkbroker explain` lists what is", args[0])
			}
			view := viewExplanation(e, in)
			return out.show(view, func() table { return view.rows(in) })
		},
	}
	cmd.Flags().Var(&choice{value: &language, of: []string{string(broker.English), string(broker.Chinese)}}, "lang", "en or zh (default by $LC_ALL, $LC_MESSAGES or $LANG)")
	language = string(environmentLanguage(os.Getenv))
	addOutputFlag(cmd, &format)
	return cmd
}

// environmentLanguage is the language that the environment asks for.
func environmentLanguage(getenv func(string) string) broker.Language {
	locale := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))
	if strings.HasPrefix(locale, "zh") {
		return broker.Chinese
	}
	return broker.English
}

// explanation finds what is meant: WeChat's -1 and 40165, or our own quota_exhausted.
func explanation(code string) (broker.Explanation, bool) {
	if errcode, err := strconv.Atoi(code); err == nil {
		return broker.Explain(errcode)
	}
	return handlers.Explain(broker.Code(strings.ToLower(code)))
}

// explanationView is an explanation in one language.
type explanationView struct {
	ErrCode int          `json:"errcode,omitzero"`
	Code    broker.Code  `json:"code"`
	Class   broker.Class `json:"class"`
	Meaning string       `json:"meaning"`
	Remedy  string       `json:"remedy"`
}

func viewExplanation(e broker.Explanation, in broker.Language) explanationView {
	return explanationView{e.ErrCode, e.Code, e.Class, e.Meaning.In(in), e.Remedy.In(in)}
}

// rows are read rather than looked up, so they carry no names of fields.
func (v explanationView) rows(in broker.Language) table {
	title := string(v.Code)
	if v.ErrCode != 0 {
		title = fmt.Sprintf("%d (%s)", v.ErrCode, v.Code)
	}
	return table{{title}, {v.Meaning}, {"→ " + v.Remedy}, {whoActs[v.Class].In(in)}}
}

// whoActs says who can do something about an error.
var whoActs = map[broker.Class]broker.Text{
	broker.Caller:     {English: "It is for who asks to change.", Chinese: "由调用方修改。"},
	broker.AppOwner:   {English: "It is for the mini program's administrator, in WeChat's console.", Chinese: "由小程序管理员在微信公众平台处理。"},
	broker.Operator:   {English: "It is for the operator of linkbroker.", Chinese: "由 linkbroker 的运维人员处理。"},
	broker.Nobody:     {English: "It passes by itself.", Chinese: "无需处理，会自行恢复。"},
	broker.Linkbroker: {English: "It is a defect of linkbroker: please report it.", Chinese: "这是 linkbroker 的缺陷，请报告。"},
}

func explainAll(out output, in broker.Language) error {
	all := handlers.Explanations()
	views := make([]explanationView, len(all))
	for i, e := range all {
		views[i] = viewExplanation(e, in)
	}
	return out.show(views, func() table {
		rows := table{{"ERRCODE", "CODE", "CLASS", "MEANING"}}
		for _, v := range views {
			errcode := ""
			if v.ErrCode != 0 {
				errcode = strconv.Itoa(v.ErrCode)
			}
			rows = append(rows, []string{orDash(errcode), string(v.Code), string(v.Class), v.Meaning})
		}
		return rows
	})
}
