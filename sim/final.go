package sim

import (
	"maps"
	"slices"
	"strings"

	"flotilla/check"
)

// keysAtOnce is how many keys are read together at the end.
const keysAtOnce = 64

// keysOf returns all keys of a history, in order.
func keysOf(history []check.Operation) []string {
	seen := map[string]bool{}
	for _, o := range history {
		for _, p := range append([]check.Operation{o}, o.Parts...) {
			if p.Key != "" {
				seen[p.Key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// readAll reads every key once more, through a client like all others.
func (w *world) readAll() (final map[string]check.Final) {
	final = map[string]check.Final{}
	keys := keysOf(w.recorder.History())
	reader := newClient(w, len(w.clients), func(c *client) {
		for part := range slices.Chunk(keys, keysAtOnce) {
			for _, o := range c.insist(part) {
				final[o.Key] = check.Final{Found: o.Found, Value: o.Value, Total: o.Total, Values: o.Values}
			}
		}
	})
	w.after(0, reader.resume)
	if !w.await(w.now+readFor, func() bool { return reader.isEnded }) {
		w.fault("%v were not enough to read all %d keys at the end", readFor, len(keys))
	}
	reader.stop()
	return final
}

// insist reads keys until there is an answer for all.
func (c *client) insist(keys []string) []check.Operation {
	for {
		if c.connect() {
			all := make([]check.Operation, len(keys))
			for i, key := range keys {
				all[i] = whole(key)
			}
			done := c.ask(all...)
			if !slices.ContainsFunc(done, hasNoAnswer) {
				return done
			}
		}
		c.hangUp()
		c.sleep(failurePause)
	}
}

// whole is the operation that reads all that a key holds, which follows from its name.
func whole(key string) check.Operation {
	o := check.Operation{Key: key, Kind: check.Read}
	switch kind, _, _ := strings.Cut(key, ":"); kind {
	case counter, tally:
		o.Kind = check.Count
	case set:
		o.Kind = check.Members
	case list, deque:
		o.Kind, o.To = check.Range, -1
	}
	return o
}
