package console

import (
	"net/http"
	"slices"

	"flotilla/supervisor"
)

// Plan is a plan that a page may have played.
type Plan struct {
	Name    string
	Teaches string // in a line
	Nodes   int
	Seconds int // how long it breaks things; starting and judging come on top
}

// play starts a plan, or stops the one that is played.
func (c *Console) play(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Plan string `json:"plan"` // empty: stop
	}
	if !readAsk(w, r, &ask) {
		return
	}
	request := supervisor.Request{Verb: supervisor.Play, Plan: ask.Plan}
	if ask.Plan == "" {
		request.Verb = supervisor.EndPlay
	}
	if ask.Plan != "" && !slices.ContainsFunc(c.options.Plans, func(p Plan) bool { return p.Name == ask.Plan }) {
		http.Error(w, "there is no plan of that name", http.StatusBadRequest)
		return
	}
	if _, err := c.options.Fleet.Do(r.Context(), request); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	c.options.Log.Info("a page asked for a plan", "plan", ask.Plan)
	c.showPlay(w, r)
}

// showPlay tells how a run goes, or how the last one ended.
func (c *Console) showPlay(w http.ResponseWriter, r *http.Request) {
	state, err := c.options.Fleet.Plays(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	writeJSON(w, state)
}
