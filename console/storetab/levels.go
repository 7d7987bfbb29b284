package storetab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"flotilla"
	"flotilla/console"
	"flotilla/console/door"
	"flotilla/store"
)

// boundedMillis is how old a bounded read may be here.
const boundedMillis flotilla.Millis = 1000

// LevelAnswer is what a read at one level came to.
type LevelAnswer struct {
	Level   string `json:"level"`
	Promise string `json:"promise"`
	Text    string `json:"text,omitempty"`
	Error   string `json:"error,omitempty"`
	Index   uint64 `json:"index"` // of the entry that the read saw
	Micros  int64  `json:"micros"`
}

// levelsOf are the four levels, with what each promises.
var levelsOf = []struct {
	name, promise string
	level         flotilla.Level
}{
	{"linearizable", "sees each write that was acknowledged before", flotilla.Linearizable},
	{"session", "sees what was read here before, and never goes back", flotilla.Session},
	{"bounded", fmt.Sprintf("is at most %d ms old", boundedMillis), flotilla.Bounded},
	{"eventual", "is what this node has, now", flotilla.Eventual},
}

// levels reads a key at each level, side by side, on this node or on another one.
// after is the index of the newest entry of the key's group that was read here before.
func (t *tab) levels(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	number := func(name string) uint64 {
		n, _ := strconv.ParseUint(q.Get(name), 10, 64) // 0: none
		return n
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	if node := flotilla.NodeID(number("node")); node != 0 && node != t.Host.Self() {
		t.passOn(ctx, w, node, q)
		return
	}
	answers := make([]LevelAnswer, len(levelsOf))
	var asked sync.WaitGroup
	for i, l := range levelsOf {
		asked.Go(func() { answers[i] = t.readAt(ctx, q.Get("key"), l.level, number("after")) })
	}
	asked.Wait()
	for i, l := range levelsOf {
		answers[i].Level, answers[i].Promise = l.name, l.promise
	}
	console.Answer(w, answers)
}

// readAt reads a key at one level.
func (t *tab) readAt(ctx context.Context, key string, level flotilla.Level, after uint64) LevelAnswer {
	command := store.Encode(nil, [][]byte{[]byte("GET"), []byte(key)})
	call := &flotilla.Call{Group: t.place(key).Group, IsRead: true, Level: level, After: after, MaxAge: boundedMillis, Commands: [][]byte{command}}
	began := time.Now()
	t.Host.Do(ctx, call)
	a := LevelAnswer{Index: call.Index, Micros: time.Since(began).Microseconds()}
	if call.Err != nil {
		a.Error = call.Err.Error()
		return a
	}
	reply, err := door.Parse(call.Replies[0])
	if err = errors.Join(err, reply.Err()); err != nil {
		a.Error = err.Error()
		return a
	}
	a.Text = render(reply, "")
	return a
}

// passOn has another node read.
func (t *tab) passOn(ctx context.Context, w http.ResponseWriter, node flotilla.NodeID, q url.Values) {
	for _, n := range t.Host.Topology().Nodes {
		if n.ID != node {
			continue
		}
		q.Del("node")
		var answers []LevelAnswer
		if err := t.Ask.JSON(ctx, n, "/store/api/levels?"+q.Encode(), &answers); err != nil {
			http.Error(w, fmt.Sprintf("%v does not answer, or not as it should: %v", node, err), http.StatusBadGateway)
			return
		}
		console.Answer(w, answers)
		return
	}
	http.Error(w, fmt.Sprintf("there is no %v", node), http.StatusBadRequest)
}
