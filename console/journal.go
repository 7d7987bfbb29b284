package console

import (
	"net/http"
	"strconv"

	"flotilla/cluster"
	"flotilla/supervisor"
)

// Report is what a node tells a console, its own or another node's: how it is, and what
// is new in its journal.
type Report struct {
	Life uint64 `json:"life"` // another one after each start
	// Through is up to where the journal is complete: what is written later has a
	// greater stamp.
	Through uint64          `json:"through"`
	Notes   []cluster.Note  `json:"notes"`
	Status  *cluster.Status `json:"status,omitempty"`
	// Wrong is what a lab has set.
	Wrong *supervisor.Faults `json:"wrong,omitempty"`
}

// report tells what is new after a sequence number of a life, and has the node's
// entries be followed for a while.
func (o *Options) report(life, after uint64, withStatus bool) Report {
	o.Journal.Watch()
	r := Report{Life: o.Life, Through: uint64(o.Micros())}
	if life != o.Life {
		after = 0
	}
	r.Notes = o.Journal.Since(after)
	if withStatus {
		status := o.Status()
		r.Status = &status
		if o.Wrong != nil {
			wrong := o.Wrong()
			r.Wrong = &wrong
		}
	}
	return r
}

// journal answers another node's console.
func (o *Options) journal(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(query.Get(name), 10, 64) // 0: from the beginning
		return n
	}
	writeJSON(w, o.report(number("life"), number("after"), query.Has("status")))
}
