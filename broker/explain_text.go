package broker

// codeTexts is the one place of what is said about codes: by problems, by the page of the documents and by explain.
var codeTexts = map[Code]Explanation{
	InvalidPath: {
		Class:   Caller,
		Meaning: Text{"The path is refused", "页面路径（path）不被接受"},
		Remedy: Text{
			"Give the page's path without a query; the page must be in the released version.",
			"path 只写页面路径，参数放进 query；该页面必须在已发布的版本中。",
		},
	},
	InvalidQuery: {
		Class:   Caller,
		Meaning: Text{"The query is refused", "页面参数（query）不被接受"},
		Remedy: Text{
			"Percent-encode what is outside WeChat's alphabet; at most 1024 characters.",
			"把微信允许范围之外的字符做百分号编码（encodeURIComponent）；最多 1024 个字符。",
		},
	},
	InvalidExpiry: {
		Class:   Caller,
		Meaning: Text{"The expiry is refused", "有效期不被接受"},
		Remedy: Text{
			"Leave the expire fields out for a link that is renewed by itself.",
			"去掉所有 expire_ 开头的字段，就会得到自动续期的链接；指定时间时，须晚于当前时间一分钟以上，单位是秒。",
		},
	},
	InvalidEnv: {
		Class:   Caller,
		Meaning: Text{"The env_version is refused", "env_version 不被接受"},
		Remedy:  Text{"It is one of release, trial and develop.", "只能是 release（正式版）、trial（体验版）或 develop（开发版）。"},
	},
	InvalidArgument: {
		Class:   Caller,
		Meaning: Text{"A field is refused", "某个字段不被接受"},
		Remedy:  Text{"See the detail.", "detail 里写明了是哪个字段、错在哪里。"},
	},
	InvalidLeastLife: {
		Class:   Caller,
		Meaning: Text{"The least life is refused", "要求的剩余有效期（least_life）不被接受"},
		Remedy: Text{
			"Ask for less: at most two thirds of the life such a link has.",
			"请减小 least_life：最多是这类链接有效期的三分之二。",
		},
	},
	UnknownApp: {
		Class:   Caller,
		Meaning: Text{"No such mini program", "没有这个小程序"},
		Remedy: Text{
			"Name the appid of a mini program that is configured here.",
			"请用 app（或 appid）写明本服务已配置的小程序 appid。",
		},
	},
	NotFound: {
		Class:   Caller,
		Meaning: Text{"Not found", "没有找到"},
		Remedy:  Text{"It may have been deleted or purged.", "它可能已被删除，或过期后已被清理。"},
	},
	Conflict: {
		Class:   Caller,
		Meaning: Text{"Conflict", "冲突"},
		Remedy:  Text{"See the detail.", "原因见 detail。"},
	},
	PreconditionFailed: {
		Class:   Caller,
		Meaning: Text{"The precondition does not hold", "前提条件不成立"},
		Remedy: Text{
			"Read it again, and repeat the change with the ETag it has now.",
			"请重新读取，用它现在的 ETag 再修改一次。",
		},
	},
	BadCredential: {
		Class:   Caller,
		Meaning: Text{"The credential is not valid", "凭证无效"},
		Remedy:  Text{"Check the API key, or ask for a new token.", "请检查 API key，或重新获取 token；key 可能已轮换、停用或过期。"},
	},
	Forbidden: {
		Class:   Caller,
		Meaning: Text{"Not allowed", "没有权限"},
		Remedy: Text{
			"Ask the operator what this key is for: its role, mini programs, pages, queries and origins.",
			"请向运维人员确认这个 key 的用途：角色、小程序、页面、参数和来源（origin）。",
		},
	},
	RateLimited: {
		Class:   Caller,
		Meaning: Text{"Too fast", "请求太频繁"},
		Remedy:  Text{"Try again after the time in Retry-After.", "请等过 Retry-After 给出的时间后再试。"},
	},
	BudgetExhausted: {
		Class:   Caller,
		Meaning: Text{"The key's own budget is used up", "这个 key 自己的生成额度已用完"},
		Remedy: Text{
			"Links that are stored are still answered. Try again when the quota day ends.",
			"已缓存的链接照常返回。请等额度日结束后再试，或请运维人员提高 generations_per_day。",
		},
	},
	NotCached: {
		Class:   Caller,
		Meaning: Text{"Not in the cache", "缓存中没有"},
		Remedy: Text{
			"This key may only read. Ask with a key of role generate.",
			"这个 key 只能读取缓存。请改用角色为 generate 的 key。",
		},
	},
	AppNotReleased: {
		Class:   AppOwner,
		Meaning: Text{"The mini program is not released", "小程序还没有发布"},
		Remedy:  Text{"Release a version in WeChat's console.", "请在微信公众平台「版本管理」中提交审核并发布一个版本。"},
	},
	AppForbidden: {
		Class:   AppOwner,
		Meaning: Text{"The mini program may not do this", "小程序没有这项能力"},
		Remedy: Text{
			"Check its permissions and its standing in WeChat's console.",
			"请在微信公众平台查看它的接口权限和账号状态（是否被封禁、是否已认证）。",
		},
	},
	TokenRefused: {
		Class:   Operator,
		Meaning: Text{"WeChat refuses this broker", "微信不向本服务发放 access_token"},
		Remedy: Text{
			"The operator must check the AppSecret and the IP whitelist.",
			"请运维人员检查 AppSecret 和 IP 白名单；日志和 linkbroker doctor 会说明具体原因。",
		},
	},
	Busy: {
		Class:   Nobody,
		Meaning: Text{"Too much at once", "同时进行的请求太多"},
		Remedy:  Text{"Try again after the time in Retry-After.", "请等过 Retry-After 给出的时间后再试。"},
	},
	QuotaExhausted: {
		Class:   Nobody,
		Meaning: Text{"The day's quota is used up", "当日额度已用完"},
		Remedy: Text{
			"Links that are stored are still answered. Try again when the quota day ends.",
			"已缓存的链接照常返回。请等额度日结束（北京时间零点）后再试。",
		},
	},
	Unavailable: {
		Class:   Nobody,
		Meaning: Text{"Not available just now", "暂时不可用"},
		Remedy:  Text{"Try again; the link may be there by then.", "请稍后重试，届时链接可能已经生成。"},
	},
	StoreFailed: {
		Class:   Operator,
		Meaning: Text{"The store is failing", "存储出现故障"},
		Remedy:  Text{"The operator must look at the store (its disk, or Redis) and the log.", "请运维人员检查存储（磁盘或 Redis）和日志。"},
	},
	Upstream: {
		Class:   AppOwner,
		Meaning: Text{"WeChat refused", "微信拒绝了请求"},
		Remedy: Text{
			"Look the errcode up in WeChat's documentation.",
			"请在微信官方文档中查找这个 errcode；向微信反馈时请附上 rid。",
		},
	},
	Internal: {
		Class:   Linkbroker,
		Meaning: Text{"A defect in linkbroker", "linkbroker 的缺陷"},
		Remedy:  Text{"Please report it with what the log says.", "请附上日志内容提交问题报告。"},
	},
}

// errcodeTexts is the same for WeChat's errcodes. Code is as what linkbroker answers it when WeChat says it; those about
// access tokens WeChat says to linkbroker alone, and linkbroker's facade about its own.
var errcodeTexts = map[int]Explanation{
	-1: {
		Code: Unavailable, Class: Nobody,
		Meaning: Text{
			"WeChat's system is busy, or linkbroker has trouble that its caller can do nothing about.",
			"微信系统繁忙，或者 linkbroker 遇到了调用方无法解决的问题。",
		},
		Remedy: Text{
			"Ask again after a second; linkbroker has tried again itself. If it goes on, the operator looks at /readyz and the log.",
			"隔一秒再试，linkbroker 自己已经重试过。如果一直如此，请运维人员查看 /readyz 和日志。",
		},
	},
	40001: {
		Code: BadCredential, Class: Caller,
		Meaning: Text{
			"The access_token, or the secret that it was asked with, is not valid.",
			"access_token 无效，或者获取它时所用的 secret 不正确。",
		},
		Remedy: Text{
			"From linkbroker: check the API key that stands as the secret, in access_token or in the prefix /k/{key}. From WeChat linkbroker " +
				"fetches a new token by itself; if that goes on, something else asks /cgi-bin/token for the same appid and so kills linkbroker's " +
				"token: let everybody use stable_token.",
			"来自 linkbroker：检查作为 secret、access_token 或写在前缀 /k/{key} 中的 API key。来自微信：linkbroker 会自动换取新 token；" +
				"如果反复出现，说明还有别的程序在用 /cgi-bin/token 为同一 appid 取 token，使 linkbroker 的 token 失效：请统一改用 stable_token。",
		},
	},
	40002: {
		Code: AppForbidden, Class: AppOwner,
		Meaning: Text{
			"WeChat does not let this mini program make links; on the token calls: grant_type is wrong.",
			"微信不允许这个小程序生成链接；在获取 token 的接口上则表示 grant_type 错误。",
		},
		Remedy: Text{
			"See the mini program's state and permissions in the WeChat console. On a token call send grant_type=client_credential.",
			"请在微信公众平台查看小程序的状态和接口权限。获取 token 时，grant_type 必须是 client_credential。",
		},
	},
	40013: {
		Code: AppForbidden, Class: AppOwner,
		Meaning: Text{"The appid is not valid, or the mini program is banned.", "appid 无效，或者小程序已被封禁。"},
		Remedy: Text{
			"From linkbroker: name an appid that is configured, by app, appid or the token. From WeChat: compare the appid with the WeChat console, " +
				"Development > Development settings, letter by letter, and see whether the mini program is banned.",
			"来自 linkbroker：用 app、appid 或 token 指明已配置的 appid。来自微信：到微信公众平台「开发管理 > 开发设置」逐字核对 appid，并查看小程序是否被封禁。",
		},
	},
	40014: {
		Code: BadCredential, Class: Caller,
		Meaning: Text{"The access_token is not one.", "access_token 不合法。"},
		Remedy: Text{
			"Ask for a new token and send it unchanged: it is often cut off or encoded twice on the way.",
			"请重新获取 token 并原样发送：常见原因是传递途中被截断或重复编码。",
		},
	},
	40066: {
		Code: InvalidPath, Class: Caller,
		Meaning: Text{
			"The page_url of a short link is not accepted; or there is no call at this address.",
			"短链的 page_url 不被接受；或者这个地址没有对应的接口。",
		},
		Remedy: Text{
			"Send a page of the released version, and its query in WeChat's alphabet. Without a short link in it check the base URL and the path: " +
				"linkbroker serves the calls that /docs lists and no other.",
			"请使用线上版本中存在的页面，query 只能含微信允许的字符。如果请求的不是短链，请检查基础地址和路径：linkbroker 只提供 /docs 中列出的接口。",
		},
	},
	40097: {
		Code: InvalidArgument, Class: Caller,
		Meaning: Text{"An argument is wrong.", "参数错误。"},
		Remedy: Text{
			"Look at cloud_base (env must name an environment of this mini program), at fields that only WeChat knows, and at least_life and scope.",
			"请检查 cloud_base（env 必须是该小程序的云环境）、只有微信认识的字段，以及 least_life 和 scope。",
		},
	},
	40125: {
		Code: TokenRefused, Class: Operator,
		Meaning: Text{"The AppSecret is wrong.", "AppSecret 不正确。"},
		Remedy: Text{
			"Copy the AppSecret anew from the WeChat console, Development > Development settings, into linkbroker's configuration, and restart it. " +
				"Whoever resets the AppSecret makes the old one worthless at once.",
			"请从微信公众平台「开发管理 > 开发设置」重新复制 AppSecret 到 linkbroker 的配置并重启。重置 AppSecret 后，旧的立即失效。",
		},
	},
	40164: {
		Code: TokenRefused, Class: Operator,
		Meaning: Text{
			"WeChat takes no calls from this machine: its IP address is not on the whitelist.",
			"微信不接受来自这台机器的调用：它的 IP 地址不在白名单中。",
		},
		Remedy: Text{
			"WeChat's message, in linkbroker's log and in linkbroker doctor, names the address it sees. Put that one on the IP whitelist in the WeChat " +
				"console, Development > Development settings; it holds after a few minutes. Behind NAT it is the gateway's, and it may change: give the " +
				"machine a fixed one.",
			"linkbroker 的日志和 linkbroker doctor 会给出微信看到的 IP 地址。请到微信公众平台「开发管理 > 开发设置 > IP 白名单」加入该地址，几分钟后生效。" +
				"经过 NAT 时它是出口网关的地址，而且可能变化：请给机器配置固定的公网 IP。",
		},
	},
	40165: {
		Code: InvalidPath, Class: Caller,
		Meaning: Text{
			"The path is no page of the mini program's released version, or it has a query in it.",
			"path 不是小程序已发布版本中的页面，或者其中带有参数。",
		},
		Remedy: Text{
			"Write the page as it stands in app.json, such as pages/index/index, and put what follows a ? into query. A page of a version that is " +
				"not released yet needs env_version trial or develop, or the release of that version.",
			"请按 app.json 中的写法填写页面，例如 pages/index/index，并把 ? 后面的内容放进 query。尚未发布的页面，请先发布该版本，或使用 env_version=trial / develop。",
		},
	},
	40212: {
		Code: InvalidQuery, Class: Caller,
		Meaning: Text{
			"The query has characters outside WeChat's alphabet, or more than 1024.",
			"query 含有微信不允许的字符，或超过 1024 个字符。",
		},
		Remedy: Text{
			"Percent-encode each value (encodeURIComponent); digits, letters and !#$&'()*+,/:;=?@-._~% may stand as they are. What is longer is " +
				"stored on a server, and the query gets its number.",
			"请对每个参数值做百分号编码（encodeURIComponent）；数字、字母和 !#$&'()*+,/:;=?@-._~% 可以直接使用。内容太长时，请存到服务器上，query 里只放编号。",
		},
	},
	40225: {
		Code: InvalidArgument, Class: Caller,
		Meaning: Text{"The page_title of a short link is not accepted.", "短链的 page_title 不被接受。"},
		Remedy: Text{
			"Send up to 20 characters that WeChat's check of texts has nothing against, or leave page_title out.",
			"请使用不超过 20 个字、能通过微信内容审核的标题；也可以不填 page_title。",
		},
	},
	40243: {
		Code: TokenRefused, Class: Operator,
		Meaning: Text{"The AppSecret is frozen.", "AppSecret 已被冻结。"},
		Remedy: Text{
			"The mini program's administrator unfreezes it in the WeChat console, Development > Development settings. Until then no " +
				"token is given, and only stored links are answered.",
			"请小程序管理员在微信公众平台「开发管理 > 开发设置」中解冻。在此之前拿不到 token，只能返回已缓存的链接。",
		},
	},
	41001: {
		Code: BadCredential, Class: Caller,
		Meaning: Text{"There is no access_token.", "缺少 access_token。"},
		Remedy: Text{
			"Send the API key or the token as access_token in the address, as Authorization: Bearer, or in the prefix /k/{key} of the SDK's base URL.",
			"请把 API key 或 token 作为 access_token 参数、Authorization: Bearer 请求头，或写在 SDK 基础地址的前缀 /k/{key} 中发送。",
		},
	},
	42001: {
		Code: BadCredential, Class: Caller,
		Meaning: Text{"The access_token has expired.", "access_token 已过期。"},
		Remedy: Text{
			"Ask /cgi-bin/token or /cgi-bin/stable_token for a new one: SDKs do so by themselves. It lives for 7200 seconds.",
			"请向 /cgi-bin/token 或 /cgi-bin/stable_token 重新获取，SDK 会自动完成。有效期为 7200 秒。",
		},
	},
	43002: {
		Code: Internal, Class: Linkbroker,
		Meaning: Text{"The call needs another HTTP method.", "接口需要使用另一种 HTTP 方法。"},
		Remedy: Text{
			"From linkbroker's facade: the calls that generate are POST. From WeChat it is a defect of linkbroker: report it with the rid.",
			"来自 linkbroker：生成链接的接口必须用 POST。来自微信：这是 linkbroker 的缺陷，请附上 rid 提交问题报告。",
		},
	},
	43104: {
		Code: AppForbidden, Class: AppOwner,
		Meaning: Text{"This mini program may not make short links.", "这个小程序不能生成短链。"},
		Remedy: Text{
			"WeChat lets mini programs of shops make them. Ask for a url_link or a scheme.",
			"微信只对电商类目的小程序开放短链。请改用 url_link 或 scheme。",
		},
	},
	44002: {
		Code: Internal, Class: Linkbroker,
		Meaning: Text{"The body of the POST is empty.", "POST 的内容为空。"},
		Remedy: Text{
			"From linkbroker's facade: send a JSON object, with a Content-Length. From WeChat it is a defect of linkbroker: report it with the rid.",
			"来自 linkbroker：请发送一个 JSON 对象，并带上 Content-Length。来自微信：这是 linkbroker 的缺陷，请附上 rid 提交问题报告。",
		},
	},
	44990: {
		Code: Busy, Class: Nobody,
		Meaning: Text{
			"The mini program calls too fast: WeChat takes some 100 to 200 calls a second.",
			"小程序调用太快：微信每秒大约接受 100 到 200 次调用。",
		},
		Remedy: Text{
			"linkbroker has slowed down already and recovers by itself. If it comes often, the operator lowers rate in the configuration, for other " +
				"programs may call for the same mini program.",
			"linkbroker 已自动降速，并会逐渐恢复。如果经常出现，请运维人员调低配置中的 rate，因为可能还有别的程序在为同一小程序调用。",
		},
	},
	44993: {
		Code: QuotaExhausted, Class: Nobody,
		Meaning: Text{
			"The mini program's links of the day are used up: 500,000 of URL Links and URL Schemes together.",
			"小程序当日的生成额度已用完：URL Link 与 URL Scheme 合计每天 50 万个。",
		},
		Remedy: Text{
			"Stored links are still answered; generating goes on at 00:00 Beijing time. To need fewer: leave personal data out of the query and " +
				"splice it on (splice, ?cq=), or let many share a link.",
			"已缓存的链接照常返回，北京时间零点起可继续生成。要减少用量：不要把个人数据写进 query，改为拼接（splice，?cq=），或让多人共用一条链接。",
		},
	},
	45009: {
		Code: QuotaExhausted, Class: Nobody,
		Meaning: Text{
			"The calls of the day are used up: WeChat's for the mini program, or those that linkbroker's configuration gives it or a client.",
			"当日调用次数已用完：可能是微信给小程序的次数，也可能是 linkbroker 配置中给小程序或客户端的额度。",
		},
		Remedy: Text{
			"Stored links are still answered; it goes on at 00:00 Beijing time. The operator sees both figures under /api/v1/quota and " +
				"generations_today. In the WeChat console the calls can be reset a few times a month.",
			"已缓存的链接照常返回，北京时间零点恢复。运维人员可在 /api/v1/quota 和 generations_today 中看到用量；微信公众平台每月可以手动清零几次调用次数。",
		},
	},
	45011: {
		Code: Busy, Class: Nobody,
		Meaning: Text{
			"Too fast: the mini program calls WeChat too often in a minute, or a client calls linkbroker.",
			"太频繁：小程序在一分钟内调用微信过多，或客户端调用 linkbroker 过多。",
		},
		Remedy: Text{
			"Ask again after the time in Retry-After. Where the limit is linkbroker's own, it is requests_per_second of the client.",
			"请等过 Retry-After 给出的时间后再试。如果是 linkbroker 自己的限制，对应客户端的 requests_per_second。",
		},
	},
	47001: {
		Code: Internal, Class: Linkbroker,
		Meaning: Text{"The body is not the JSON that is expected.", "请求内容不是所要求的 JSON。"},
		Remedy: Text{
			"From linkbroker: the message says where; names that appear twice and invalid UTF-8 are refused, too. From WeChat it is a defect of " +
				"linkbroker: report it with the rid.",
			"来自 linkbroker：信息中写明了位置；重复的字段名和无效的 UTF-8 也会被拒绝。来自微信：这是 linkbroker 的缺陷，请附上 rid 提交问题报告。",
		},
	},
	48001: {
		Code: AppForbidden, Class: AppOwner,
		Meaning: Text{
			"WeChat has not granted the call to this mini program, or linkbroker has not granted it to this key.",
			"微信没有授予小程序这个接口，或者 linkbroker 没有授予这个 key 该权限。",
		},
		Remedy: Text{
			"From WeChat: URL Link is for mini programs of organisations, not of individuals; see the permissions in the WeChat console. From " +
				"linkbroker: the key's role, mini programs or pages do not include it; a key of role read gets no new links.",
			"来自微信：URL Link 只对非个人主体的小程序开放，请在微信公众平台查看接口权限。来自 linkbroker：这个 key 的角色、小程序或页面不包含该请求；角色为 read 的 key 不能生成新链接。",
		},
	},
	85079: {
		Code: AppNotReleased, Class: AppOwner,
		Meaning: Text{"The mini program has no released version.", "小程序没有已发布的版本。"},
		Remedy: Text{
			"Publish a version in the WeChat console, Version management. Until then links work with env_version trial or develop for its testers only.",
			"请在微信公众平台「版本管理」中发布一个版本。在此之前，只有体验版和开发版的链接可用，且只对体验成员和开发者有效。",
		},
	},
	85400: {
		Code: QuotaExhausted, Class: AppOwner,
		Meaning: Text{
			"WeChat makes no more permanent short links for this mini program.",
			"这个小程序的永久短链已达到上限。",
		},
		Remedy: Text{
			"Leave is_permanent out: others are still made. Permanent ones that exist go on being answered.",
			"请不要填 is_permanent：有期限的短链仍可生成，已有的永久短链照常返回。",
		},
	},
	85401: {
		Code: InvalidExpiry, Class: Caller,
		Meaning: Text{
			"The expiry is wrong: expire_time has to be more than a minute ahead, expire_interval from 1 to 30 days.",
			"有效期错误：expire_time 必须晚于当前时间一分钟以上，expire_interval 必须是 1 到 30 天。",
		},
		Remedy: Text{
			"Send Unix seconds, not milliseconds, by a clock that is right; with expire_type 1 also expire_interval. Without all three linkbroker gives " +
				"a link that it renews by itself.",
			"请使用 Unix 秒而不是毫秒，并确认时钟准确；expire_type 为 1 时还要有 expire_interval。三个字段都不填，linkbroker 会给出自动续期的链接。",
		},
	},
	85402: {
		Code: InvalidEnv, Class: Caller,
		Meaning: Text{"env_version is wrong.", "env_version 错误。"},
		Remedy: Text{
			"Send release, trial or develop in lower case, or leave it out for release.",
			"请使用小写的 release、trial 或 develop；不填则为 release。",
		},
	},
	85403: {
		Code: NotFound, Class: Caller,
		Meaning: Text{"There is no such link.", "没有这条链接。"},
		Remedy: Text{
			"Send the whole link as it was given, of this mini program; one that has ended may be unknown by now.",
			"请完整发送当初得到的链接，并且属于这个小程序；已过期的链接可能查不到。",
		},
	},
}
