package console

import (
	"html/template"
	"net/http"

	"flotilla/cluster"
)

// page is what the index shows, until there is a whole console.
type page struct {
	Status   cluster.Status
	NotReady []string
}

// indexPage needs no style sheet and no script: the Content-Security-Policy would
// not let any of it be inline.
var indexPage = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{.Status.Name}} · Flotilla</title>
<h1>{{.Status.Name}}</h1>
<p>Node {{.Status.Node}} of the cluster {{.Status.Cluster}}, process {{.Status.PID}}, version {{.Status.Version}}.
{{if .NotReady}}Not ready:{{else}}Ready.{{end}}</p>
{{if .NotReady}}<ul>{{range .NotReady}}<li>{{.}}</li>{{end}}</ul>{{end}}
<h2>Look</h2>
<ul>
<li><a href="/api/status">/api/status</a>: all that this node knows, as JSON
<li><a href="/metrics">/metrics</a>: for Prometheus
<li><a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>: for whoever restarts or routes
<li><a href="/debug/pprof/">/debug/pprof/</a>: profiles, from this machine only
</ul>
{{if .Status.Nodes}}<h2>Nodes</h2>
<ul>{{range .Status.Nodes}}
<li><a href="http://{{.Host}}:{{.HTTPPort}}/">{{.Name}}</a>: Redis protocol on {{.Host}}:{{.StorePort}}{{if not .IsAlive}} (silent){{end}}{{end}}
</ul>{{end}}
</html>
`))

func (o Options) index(w http.ResponseWriter, _ *http.Request) {
	status := o.Status()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := indexPage.Execute(w, page{Status: status, NotReady: notReady(status)})
	if err != nil {
		o.Log.Debug("the index page was not written", "err", err)
	}
}
