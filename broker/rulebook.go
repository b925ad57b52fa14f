package broker

// Rule names a rule of the rule book.
type Rule string

// The rules. What they say stands in one table, rulebook.
const (
	PathTooLong        Rule = "path_too_long"
	PathQuestionMark   Rule = "path_question_mark"
	PathCharacter      Rule = "path_character"
	QueryTooLong       Rule = "query_too_long"
	QueryCharacter     Rule = "query_character"
	QueryQuestionMark  Rule = "query_question_mark"
	QueryPercent       Rule = "query_percent"
	EnvNotReleased     Rule = "env_not_released"
	ExpireMilliseconds Rule = "expire_milliseconds"
	ExpireTooFar       Rule = "expire_too_far"
	CQUnused           Rule = "cq_unused"
	Failed             Rule = "refused" // everything else that refuses a request, in the words of its error
)

// rule is an entry of the rule book. Its text says {what} for what was found, and {field} and {at} for where.
type rule struct {
	severity Severity
	code     Code // of the error that refuses the request
	text     Text
}

// rulebook is the one place of what is said about requests: by errors, by the API, by batches and by the page.
var rulebook = map[Rule]rule{
	PathTooLong: {Refused, InvalidPath, Text{
		"path has {what} characters, and 1024 are the most",
		"path 有 {what} 个字符，最多 1024 个",
	}},
	PathQuestionMark: {Refused, InvalidPath, Text{
		"path contains a ? at position {at}: put what follows it into query",
		"path 第 {at} 个字符处有 ?：请把它后面的部分放进 query",
	}},
	PathCharacter: {Refused, InvalidPath, Text{
		"path has {what} at position {at}: a page's path is printable ASCII",
		"path 第 {at} 个字符处有 {what}：页面路径只能用可打印的 ASCII 字符",
	}},
	QueryTooLong: {Refused, InvalidQuery, Text{
		"query has {what} characters, and 1024 are the most",
		"query 有 {what} 个字符，最多 1024 个",
	}},
	QueryCharacter: {Refused, InvalidQuery, Text{
		"{field} has {what} at position {at}, outside WeChat's alphabet: percent-encode all but digits, letters and !#$&'()*+,/:;=?@-._~%",
		"{field} 第 {at} 个字符处有 {what}，不在微信允许的字符之内：除数字、字母和 !#$&'()*+,/:;=?@-._~% 外都要先做百分号编码",
	}},
	QueryQuestionMark: {Warned, "", Text{
		"the ? at the beginning of query is dropped",
		"query 开头的 ? 会被去掉",
	}},
	QueryPercent: {Warned, "", Text{
		"query has a % at position {at} that two hexadecimal digits do not follow: a page that decodes it fails",
		"query 第 {at} 个字符处的 % 后面不是两位十六进制数：页面解码时会出错",
	}},
	EnvNotReleased: {Warned, "", Text{
		"env_version {what} opens for the developers and testers of the mini program only",
		"env_version 为 {what} 的链接只有小程序的开发者和体验成员能打开",
	}},
	ExpireMilliseconds: {Warned, "", Text{
		"expire_time {what} is in milliseconds: WeChat wants seconds, and lets this link live 30 days without an error",
		"expire_time {what} 是毫秒：微信要的是秒，这样的链接不会报错，但只有 30 天有效",
	}},
	ExpireTooFar: {Warned, "", Text{
		"more than 30 days are asked: WeChat lets a link live 30 days at most, without an error",
		"要求的有效期超过 30 天：微信的链接最多有效 30 天，而且不会报错",
	}},
	CQUnused: {Warned, "", Text{
		"the query is not spliced on, so the link needs a generation of its own: {what}",
		"query 没有拼接到链接上，需要单独生成一条链接：{what}",
	}},
}
