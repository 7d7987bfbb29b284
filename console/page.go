package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"flotilla/cluster"
)

// Tab is a part of the console with an address of its own. One more system is one
// more folder, which makes one of these.
type Tab struct {
	Name  string // of its address: /NAME
	Title string
	// Files has page.html, a template of its body that is given a View, and
	// NAME.js, the module of its page; all of it is served below /NAME/static/.
	Files fs.FS
	// Routes adds what the page asks for, below /NAME/api/. Who may ask was
	// checked before, and that it was a page of ours, of all methods but GET, HEAD
	// and OPTIONS: these must change nothing.
	Routes func(*http.ServeMux)
	// Data returns what the template finds as .Data; nil: nothing.
	Data func() any
}

// View is what a template is given.
type View struct {
	Title    string
	Module   string // below /static/
	Status   cluster.Status
	NotReady []string
	HasLab   bool
	IsByHand bool // a lab without a supervisor: pages ask for its token
	Plans    []Plan
	Tabs     []Link
	Data     any
	Body     template.HTML // of the layout: the tab's own template, carried out
}

// Link is a tab as others see it.
type Link struct {
	Path, Title string
	IsHere      bool
}

//go:embed static
var embedded embed.FS

// static is what every page is made of.
func static() fs.FS {
	sub, err := fs.Sub(embedded, "static")
	if err != nil {
		panic("console: the embedded folder is not there") // it is part of the program
	}
	return sub
}

// live is the first tab.
func live() Tab { return Tab{Title: "Live", Files: static()} }

// path returns where a tab is.
func (t Tab) path() string { return "/" + t.Name }

// page answers with a tab's page.
func (c *Console) page(t Tab) http.HandlerFunc {
	layout := template.Must(template.ParseFS(static(), "layout.html"))
	name, module := "live.html", "live.js"
	if t.Name != "" {
		name, module = "page.html", "../"+t.Name+"/static/"+t.Name+".js"
	}
	body := template.Must(template.ParseFS(t.Files, name))
	return func(w http.ResponseWriter, r *http.Request) {
		status := c.options.Status()
		view := View{Title: t.Title, Module: module, Status: status, NotReady: notReady(status), HasLab: c.options.canBreak(), IsByHand: c.options.isByHand(), Plans: c.options.Plans}
		for _, other := range c.tabs {
			view.Tabs = append(view.Tabs, Link{Path: other.path(), Title: other.Title, IsHere: other.Name == t.Name})
		}
		if t.Data != nil {
			view.Data = t.Data()
		}
		var inner, out bytes.Buffer
		err := body.Execute(&inner, view)
		if err == nil {
			view.Body = template.HTML(inner.String()) // made by a template: it is safe
			err = layout.Execute(&out, view)
		}
		if err != nil {
			c.options.Log.Error("a page was not made", "err", err)
			http.Error(w, fmt.Sprintf("the page could not be made: %v", err), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(out.Bytes()) // the client is gone if this fails
	}
}

// files serves a tab's folder, but for its templates and the list of its files. Files are part of the program: they
// change when the node does, and are asked for anew each time.
func files(prefix string, from fs.FS) http.Handler {
	all := http.StripPrefix(prefix, http.FileServerFS(from))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") || strings.HasSuffix(r.URL.Path, ".html") {
			http.NotFound(w, r)
			return
		}
		all.ServeHTTP(w, r)
	})
}
