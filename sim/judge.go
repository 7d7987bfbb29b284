package sim

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/consensus"
	"flotilla/storage"
)

// How long the end may take, in virtual time.
const (
	calmFor = 60 * time.Second
	// judgeFor bounds the search for an order of a key's operations, in real time.
	judgeFor = 20 * time.Second
)

// settle ends all trouble and waits until everything is as if nothing had been: all
// calls answered, all copies there and equal.
func (w *world) settle() {
	w.isCalm, w.isOver = true, true
	w.heal()
	for _, n := range w.nodes {
		n.armed = storage.Boundary("")
		n.clock.setDrift(w.now, 0)
		if n.core == nil && n.restartAt == never {
			n.start()
		}
		if n.isPaused {
			n.resume()
		}
	}
	if !w.runUntil(w.now+calmFor, w.haveClientsEnded) {
		w.fault("%v after all trouble ended, not all clients have their answers", calmFor)
		return
	}
	if !w.runUntil(w.now+calmFor, func() bool { return w.isWhole() && w.areEqual() }) {
		w.fault("%v after all trouble ended, the replicas are not equal:\n%s", calmFor, w.describe())
	}
}

func (w *world) haveClientsEnded() bool {
	return !slices.ContainsFunc(w.clients, func(c *client) bool { return !c.isEnded })
}

// areEqual reports whether all copies are at the same index, with the same bytes.
func (w *world) areEqual() bool {
	for g := range flotilla.GroupID(w.opts.Groups + 1) {
		mark := w.nodes[0].disk.Disk.State(g).Mark()
		for _, n := range w.nodes[1:] {
			if n.disk.Disk.State(g).Mark() != mark {
				return false
			}
		}
	}
	for g := range flotilla.GroupID(w.opts.Groups + 1) {
		hash := consensus.Hash(w.nodes[0].disk.Disk.State(g))
		for _, n := range w.nodes[1:] {
			if other := n.disk.Disk.State(g); consensus.Hash(other) != hash {
				w.fault("at index %d of %v the replicas on %v and %v differ", other.Mark().Index, g, w.nodes[0].id, n.id)
			}
		}
	}
	return true
}

// readAll reads every key once more, through a client like all others.
func (w *world) readAll() (final map[string]check.Final) {
	final = map[string]check.Final{}
	isDone := false
	reader := newClient(w, len(w.clients), func(c *client) {
		for i := range w.opts.Keys {
			key := strconv.Itoa(i)
			value, found := bulk(c.insist("get", "r"+key))
			count, _ := bulk(c.insist("get", "c"+key))
			total, _ := strconv.ParseInt(count, 10, 64)
			final["r"+key] = check.Final{Found: found, Value: value}
			final["c"+key] = check.Final{Total: total}
			final["s"+key] = check.Final{Values: bulks(c.insist("smembers", "s"+key))}
		}
		for _, key := range slices.Sorted(maps.Keys(w.lists.pushes)) {
			w.lists.final(w, key, bulks(c.insist("lrange", key, "0", "-1")))
		}
		isDone = true
	})
	w.after(0, reader.resume)
	if !w.runUntil(w.now+calmFor, func() bool { return isDone }) {
		w.fault("%v were not enough to read all keys at the end", calmFor)
	}
	reader.stop()
	return final
}

// insist asks until there is an answer.
func (c *client) insist(words ...string) string {
	for {
		if c.connect() {
			if reply, outcome := c.do(words...); outcome == check.Known {
				return reply
			}
		}
		c.hangUp()
		c.sleep(50 * time.Millisecond)
	}
}

// judge holds the history against what was promised.
func (w *world) judge(final map[string]check.Final) {
	history := w.recorder.History()
	for _, v := range []check.Verdict{check.Durable(history, final), check.Linearizable(history, judgeFor)} {
		w.faults = append(w.faults, v.Faults...)
	}
}
