package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// How often nodes are asked while a page is open, and how patient that is.
const (
	askPeriod    = 250 * time.Millisecond
	statusEvery  = 2 // asked for with each second question
	askTimeout   = time.Second
	lingerPeriod = 10 * time.Second // nodes are asked for so long after the last page has gone
	// maxReportBytes bounds what another node may answer.
	maxReportBytes = 32 << 20
	// maxPages is how many event streams a node serves at a time.
	maxPages = 64
)

// watcher knows what all nodes do, as long as somebody has a page open: it asks
// each of them, this one too, four times a second. With no page it does nothing.
type watcher struct {
	options *Options

	wake chan struct{} // one slot; never closed

	mu      sync.Mutex // guards what follows
	pages   int
	leftAt  time.Time // when the last page went
	history *history
	nodes   map[flotilla.NodeID]*heard
	fleet   map[flotilla.NodeID]supervisor.MemberState
	told    map[flotilla.NodeID]uint64 // the number of the last of its changes that is in the history
}

// heard is what a node last said of itself.
type heard struct {
	status  *cluster.Status
	wrong   supervisor.Faults // by a lab
	answers bool
	at      time.Time
}

func newWatcher(o *Options) *watcher {
	return &watcher{options: o, wake: make(chan struct{}, 1), history: newHistory(), nodes: map[flotilla.NodeID]*heard{}, fleet: map[flotilla.NodeID]supervisor.MemberState{}, told: map[flotilla.NodeID]uint64{}}
}

// join notes that a page is open, and returns what notes that it is not any more; or
// false if there are too many.
func (w *watcher) join() (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pages >= maxPages {
		return nil, false
	}
	w.pages++
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pages--
		w.leftAt = time.Now()
	}, true
}

// run asks while somebody is there, until ctx ends.
func (w *watcher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			w.askAll(ctx)
		}
	}
}

// askAll asks until nobody is there any more.
func (w *watcher) askAll(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ticker := time.NewTicker(askPeriod)
	defer ticker.Stop()
	asked := map[flotilla.NodeID]chan struct{}{} // a token while no question is under way
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel() // before that, so that questions end
	for round := 0; ; round++ {
		for _, n := range w.options.Host.Topology().Nodes {
			free := asked[n.ID]
			if free == nil {
				free = make(chan struct{}, 1)
				free <- struct{}{}
				asked[n.ID] = free
			}
			select {
			case <-free:
				waiting.Go(func() {
					w.ask(ctx, n, round%statusEvery == 0)
					free <- struct{}{}
				})
			default: // it has not answered yet
			}
		}
		if w.options.Fleet != nil && round%statusEvery == 0 {
			w.askFleet(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if w.isAlone() {
			return
		}
	}
}

// isAlone reports whether no page was open for a while.
func (w *watcher) isAlone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pages == 0 && time.Since(w.leftAt) >= lingerPeriod
}

// ask asks one node what is new.
func (w *watcher) ask(ctx context.Context, n flotilla.NodeInfo, withStatus bool) {
	w.mu.Lock()
	from := *w.history.source(n.ID)
	w.mu.Unlock()
	var report Report
	var err error
	if n.ID == w.options.Host.Self() {
		report = w.options.report(from.life, from.after, withStatus)
	} else {
		report, err = w.askOther(ctx, n, from, withStatus)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.nodes[n.ID]
	if known == nil {
		known = &heard{}
		w.nodes[n.ID] = known
	}
	known.answers = err == nil
	if err != nil {
		w.history.silent(n.ID)
		return
	}
	known.at = time.Now()
	if report.Status != nil {
		known.status, known.wrong = report.Status, supervisor.Faults{}
		if report.Wrong != nil {
			known.wrong = *report.Wrong
		}
	}
	w.history.take(n.ID, report.Life, report.Through, report.Notes)
}

func (w *watcher) askOther(ctx context.Context, n flotilla.NodeInfo, from source, withStatus bool) (r Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	path := fmt.Sprintf("/api/journal?life=%d&after=%d", from.life, from.after)
	if withStatus {
		path += "&status"
	}
	res, err := w.options.Peers.Ask(ctx, n, path)
	if err != nil {
		return r, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return r, fmt.Errorf("%v answered %s", n.ID, res.Status)
	}
	return r, json.NewDecoder(io.LimitReader(res.Body, maxReportBytes)).Decode(&r)
}

// askFleet asks the supervisor which processes run. What it did is a note like those of
// nodes, which can not tell of their own end.
func (w *watcher) askFleet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	states, err := w.options.Fleet.States(ctx)
	if err != nil {
		return // it has ended, and so will this node
	}
	w.takeFleet(states, w.options.Micros())
}

// takeFleet takes the supervisor's word: also of changes that were before this node was asked for the
// first time, but of the start of the fleet, of which nodes tell themselves.
func (w *watcher) takeFleet(states []supervisor.MemberState, now int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range states {
		w.fleet[s.Node] = s
		for _, c := range s.Changes {
			isOld := c.Number <= w.told[s.Node] || c.AtMicros < now-historyMicros
			if isOld || c.Number == 1 && c.What == supervisor.Running {
				continue
			}
			w.history.add(cluster.Note{Stamp: uint64(c.AtMicros), Micros: c.AtMicros, Node: s.Node, Kind: noteProcess, Word: string(c.What), Value: int64(c.PID)})
			w.told[s.Node] = c.Number
		}
	}
}

// noteProcess is a note of the supervisor: a node's process is in another phase, or its disk was wiped.
const noteProcess cluster.NoteKind = "process"
