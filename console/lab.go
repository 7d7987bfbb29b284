package console

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"flotilla/supervisor"
)

// maxFaultBytes bounds what may be posted to /lab.
const maxFaultBytes = 64 << 10

// Lab lets whoever has the token read and set what is wrong with the node's links, clocks and
// disk, and give it orders.
type Lab struct {
	Token  string             // an empty one lets nobody in
	Faults func() any         // what is set, to be shown as JSON
	Set    func([]byte) error // replaces all of it; an error means that nothing was changed
	Do     func([]byte) error // does something once; an error says why it did not

	// Change breaks or mends something of this node, and says what it did. It is nil under a
	// supervisor, which does that. Keeper is then what keeps the process instead.
	Change func(supervisor.Request) (string, error)
	Keeper Keeper
}

// admits reports whether somebody has the token.
func (l *Lab) admits(token string) bool {
	return l.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(l.Token)) == 1
}

// guard asks for the lab's token.
func (l *Lab) guard(next http.HandlerFunc) http.HandlerFunc {
	const scheme = "Bearer "
	return func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("Authorization")
		if len(given) < len(scheme) || given[:len(scheme)] != scheme || !l.admits(given[len(scheme):]) {
			http.Error(w, "faults are set through the supervisor: flotilla fault --help", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

// posted hands what was posted for the lab to do, and says why if that was refused.
func (o Options) posted(do func([]byte) error, said string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaultBytes))
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			http.Error(w, "what a lab asks of a node fits into 64 KiB", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			return // the client is gone
		}
		if err := do(raw); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		o.Log.Info(said, "what", string(raw))
		w.WriteHeader(http.StatusNoContent)
	}
}

// change breaks or mends something of this node, as another node's page asks.
func (o Options) change(w http.ResponseWriter, r *http.Request) {
	var request supervisor.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxFaultBytes)).Decode(&request); err != nil {
		http.Error(w, "not a request: "+err.Error(), http.StatusBadRequest)
		return
	}
	line, err := o.Lab.Change(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.Log.Info("another node's page asked for a fault", "verb", request.Verb)
	writeText(w, http.StatusOK, line+"\n")
}
