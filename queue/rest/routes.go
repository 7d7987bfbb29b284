package rest

import (
	"context"
	"net/http"
	"strings"
)

// prefix is what all paths begin with but that of the description.
const prefix = "/api/queue/v1"

// descriptionPath is where openapi.json is.
const descriptionPath = "/api/queue/openapi.json"

// route is one thing that can be asked for.
type route struct {
	method, path string   // below prefix; {queue} and the like are path parameters
	query        []string // what may stand in the URL behind the path
	in           func() any
	out          any // an empty one, for the description; nil: nothing is answered
	call         func(h *Handler, ctx context.Context, a args, in any) (any, error)
}

// args is what stands in a request's path and query, and who sent it.
type args struct {
	path, query map[string]string
	caller      string
}

func (a args) queue() string { return a.path["queue"] }

// routes is the whole API. It is never written.
var routes = []route{
	reading("GET", "/queues", (*Handler).list, "prefix", "after", "limit"),
	taking("PUT", "/queues/{queue}", (*Handler).create),
	reading("GET", "/queues/{queue}", (*Handler).describe),
	taking("PATCH", "/queues/{queue}", (*Handler).setAttributes),
	reading("DELETE", "/queues/{queue}", (*Handler).remove),

	taking("POST", "/queues/{queue}/messages", (*Handler).send),
	reading("GET", "/queues/{queue}/messages", (*Handler).peek, "after", "limit"),
	reading("DELETE", "/queues/{queue}/messages", (*Handler).purge),

	taking("POST", "/queues/{queue}/leases", (*Handler).receive),
	taking("POST", "/queues/{queue}/leases/finish", (*Handler).finish),
	taking("POST", "/queues/{queue}/leases/extend", (*Handler).extend),
	taking("POST", "/queues/{queue}/leases/release", (*Handler).release),
	taking("POST", "/queues/{queue}/leases/progress", (*Handler).progress),

	reading("GET", "/queues/{queue}/jobs/{id}", (*Handler).job, "wait_seconds"),

	reading("GET", "/queues/{queue}/moves", (*Handler).listMoves),
	taking("POST", "/queues/{queue}/moves", (*Handler).startMove),
	reading("DELETE", "/queues/{queue}/moves/{task}", (*Handler).cancelMove),

	reading("GET", "/queues/{queue}/recurring", (*Handler).listRecurring),
	taking("PUT", "/queues/{queue}/recurring/{name}", (*Handler).putRecurring),
	reading("DELETE", "/queues/{queue}/recurring/{name}", (*Handler).deleteRecurring),
}

// nothing is the reply of what has nothing to tell: 204, and no body.
type nothing struct{}

// taking is a route with a body.
func taking[In, Out any](method, path string, call func(*Handler, context.Context, args, *In) (Out, error)) route {
	var out Out
	return route{method: method, path: path, in: func() any { return new(In) }, out: out,
		call: func(h *Handler, ctx context.Context, a args, in any) (any, error) { return call(h, ctx, a, in.(*In)) }}
}

// reading is a route without one.
func reading[Out any](method, path string, call func(*Handler, context.Context, args) (Out, error), query ...string) route {
	var out Out
	return route{method: method, path: path, query: query, out: out,
		call: func(h *Handler, ctx context.Context, a args, _ any) (any, error) { return call(h, ctx, a) }}
}

// parameters returns the names of what is variable in a path.
func parameters(path string) (names []string) {
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}

// routeMux returns what finds the route of a request below a prefix. caller says who sent it.
func (h *Handler) routeMux(prefix string, caller func(*http.Request) string) *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range routes {
		mux.Handle(r.method+" "+prefix+r.path, h.serve(r, caller))
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		mux.Handle(prefix+path, h.wrongMethod(allowed))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, problem(http.StatusNotFound, CodeNotFound, "There is nothing at this path: see "+descriptionPath+"."))
	})
	return mux
}

func (h *Handler) wrongMethod(allowed []string) http.HandlerFunc {
	list := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", list)
		h.fail(w, problem(http.StatusMethodNotAllowed, CodeMethodNotAllowed, "This path takes "+list+"."))
	}
}
