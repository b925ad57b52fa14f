package handlers

import "linkbroker/broker"

// RouteInfo is a row of the table of routes.
type RouteInfo struct {
	Method, Path string
	Role         broker.Role
}

// RoutesOf gives the table of a listener.
func RoutesOf(listener string) []RouteInfo {
	table := adminRoutes
	if listener == "public" {
		table = publicRoutes
	}
	var infos []RouteInfo
	for _, r := range table(&api{Config: Config{Metrics: NewMetrics(nil, Version{})}}) {
		infos = append(infos, RouteInfo{r.method, r.path, r.role})
	}
	return infos
}

// StatusOf gives what the table of errors says of a code.
func StatusOf(code broker.Code) (status, errcode int, known bool) {
	r, known := refusals[code]
	return r.status, r.errcode, known
}

// AppendAnswer is the written-out encoder.
var AppendAnswer = appendAnswer
