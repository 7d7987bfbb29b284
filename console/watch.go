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
	freshPeriod  = 2 * time.Second  // what was asked within it is new enough to foresee by: more than while a page is open
	// maxReportBytes bounds what another node may answer.
	maxReportBytes = 32 << 20
	// maxPages is how many event streams a node serves at a time.
	maxPages = 64
)

// watcher knows what all nodes do, as long as somebody has a page open: it asks
// each of them, this one too, four times a second. With no page it does nothing, but for
// who wants to break something.
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
	turns   map[flotilla.NodeID]chan struct{}
}

// heard is what a node last said of itself.
type heard struct {
	status  *cluster.Status
	wrong   supervisor.Faults // by a lab
	answers bool
	at      time.Time
	askedAt time.Time // when its status was last asked for, and came or did not
}

func newWatcher(o *Options) *watcher {
	return &watcher{options: o, wake: make(chan struct{}, 1), history: newHistory(), nodes: map[flotilla.NodeID]*heard{}, fleet: map[flotilla.NodeID]supervisor.MemberState{}, told: map[flotilla.NodeID]uint64{}, turns: map[flotilla.NodeID]chan struct{}{}}
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
	w.rouse()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pages--
		w.leftAt = time.Now()
	}, true
}

// rouse has run ask.
func (w *watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// turn holds a token while no question to a node is under way: its answers are taken in their order.
func (w *watcher) turn(id flotilla.NodeID) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turns[id] == nil {
		w.turns[id] = make(chan struct{}, 1)
		w.turns[id] <- struct{}{}
	}
	return w.turns[id]
}

// refresh asks all nodes once, and returns when each has answered or had time to. It has them be asked
// for a while, as if a page had just gone: somebody wants to see what follows.
func (w *watcher) refresh(ctx context.Context) {
	ctx = context.WithoutCancel(ctx) // a client that goes away is no reason to take nodes for silent
	w.mu.Lock()
	w.leftAt = time.Now()
	w.mu.Unlock()
	w.rouse()
	if w.options.Fleet != nil {
		w.askFleet(ctx)
	}
	var asked sync.WaitGroup
	for _, n := range w.options.Host.Topology().Nodes {
		if w.isStopped(n.ID) {
			continue
		}
		asked.Go(func() {
			turn, patience := w.turn(n.ID), time.NewTimer(askTimeout)
			defer patience.Stop()
			select {
			case <-turn:
				w.ask(ctx, n, true)
				turn <- struct{}{}
			case <-patience.C: // it has not answered what was asked before
			}
		})
	}
	asked.Wait()
}

// freshen refreshes what is known, if that is old.
func (w *watcher) freshen(ctx context.Context) {
	oldest := time.Now()
	for _, n := range w.options.Host.Topology().Nodes {
		if w.isStopped(n.ID) {
			continue
		}
		w.mu.Lock()
		at := time.Time{}
		if h := w.nodes[n.ID]; h != nil {
			at = h.askedAt
		}
		w.mu.Unlock()
		if at.Before(oldest) {
			oldest = at
		}
	}
	if time.Since(oldest) > freshPeriod {
		w.refresh(ctx)
	}
}

// isStopped reports whether the supervisor said that a node's process does not run.
func (w *watcher) isStopped(id flotilla.NodeID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return isStopped(w.fleet[id].Phase)
}

func isStopped(phase supervisor.Phase) bool {
	return phase == supervisor.Down || phase == supervisor.Paused || phase == supervisor.Waiting
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
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel() // before that, so that questions end
	for round := 0; ; round++ {
		for _, n := range w.options.Host.Topology().Nodes {
			turn := w.turn(n.ID)
			select {
			case <-turn:
				waiting.Go(func() {
					w.ask(ctx, n, round%statusEvery == 0)
					turn <- struct{}{}
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
	if withStatus || err != nil {
		known.askedAt = time.Now()
	}
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
