package sandbox

import (
	"bytes"
	"html/template"
	"net/http"
	"time"
)

// indexPage answers GET /.
func (w *WeChat) indexPage(rw http.ResponseWriter, r *http.Request) {
	sendPage(rw, http.StatusOK, indexTemplate, map[string]any{"Host": r.Host, "Kinds": faults, "Any": anyRoute, "Default": generateRoute})
}

// ticketPage answers GET /t/{ticket}: what a link leads to, for which a phone would open the mini program.
func (w *WeChat) ticketPage(rw http.ResponseWriter, r *http.Request) {
	now := w.clock()
	w.mu.Lock()
	l, known := w.links.byTicket[r.PathValue("ticket")]
	if known {
		if a := w.apps[l.App]; a != nil {
			a.turnDay(now)
			a.visits++
		}
	}
	w.mu.Unlock()
	if !known {
		sendPage(rw, http.StatusNotFound, ticketTemplate, nil)
		return
	}
	sendPage(rw, http.StatusOK, ticketTemplate, map[string]any{
		"Link": l, "CloudBase": string(l.CloudBase), "URL": l.url(), "Expires": l.expires(),
		"Dead": l.Expires != 0 && now.Unix() >= l.Expires,
	})
}

func (l *link) expires() string {
	if l.Expires == 0 {
		return "never"
	}
	return time.Unix(l.Expires, 0).In(shanghai).Format(time.RFC3339)
}

func sendPage(rw http.ResponseWriter, status int, page *template.Template, data any) {
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	_, _ = rw.Write(out.Bytes())
}

var ticketTemplate = template.Must(template.New("ticket").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fake WeChat: a link</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}dt{font-weight:bold}dd{overflow-wrap:anywhere}</style>
{{if not .}}<h1>No such link</h1><p>This fake WeChat has not made it, or has forgotten it.
{{else}}<h1>{{if .Dead}}A link that has ended{{else}}Here a phone would open the mini program{{end}}</h1>
<dl><dt>Link<dd>{{.URL}}<dt>Mini program<dd>{{.Link.App}} ({{.Link.Env}})
<dt>Page<dd>{{or .Link.Path "its home page"}}<dt>Query<dd>{{or .Link.Query "none"}}
{{with .CloudBase}}<dt>cloud_base<dd>{{.}}{{end}}<dt>{{if .Dead}}Ended{{else}}Ends{{end}}<dd>{{.Expires}}</dl>
{{end}}<p><a href="/">What this fake WeChat can do</a></html>
`))

var indexTemplate = template.Must(template.New("index").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fake WeChat</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
td{padding:.1rem 1rem .1rem 0;vertical-align:top}code{background:#8882}pre{overflow:auto;background:#8882;padding:1rem}</style>
<h1>Fake WeChat</h1>
<p>It answers as api.weixin.qq.com does: <code>POST /cgi-bin/stable_token</code>, <code>GET /cgi-bin/token</code>,
<code>POST /wxa/generate_urllink</code>, <code>/wxa/generatescheme</code>, <code>/wxa/genwxashortlink</code>,
<code>/wxa/query_urllink</code>, <code>/wxa/queryscheme</code>, <code>/wxa/getwxacodeunlimit</code>. Its links open nothing on a phone;
<code>/t/</code> and a link's last part shows where one leads.
<h2>Faults</h2>
<pre>curl -X POST {{.Host}}/sandbox/faults -d '{"fault":"slow","delay":"2s","times":10}'
curl {{.Host}}/sandbox/faults               # those that are on
curl -X DELETE {{.Host}}/sandbox/faults     # none any more
curl -X POST {{.Host}}/sandbox/steal        # another server forces a new token; -d '{"stuck":true}': and ours stays dead
curl {{.Host}}/sandbox/stats                # what was seen</pre>
<p><code>times</code>: how often, else until cleared. <code>every</code>: only each so many-th call. <code>route</code>: which calls,
<code>{{.Any}}</code> for all, else <code>{{.Default}}</code>. <code>delay</code> goes with every fault.
<table>{{range $name, $kind := .Kinds}}<tr><td><code>{{$name}}</code><td>{{$kind.Does}}</tr>
{{end}}</table></html>
`))
