package sim

import (
	"fmt"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/store"
)

// What lives for how long, in a calm cluster: while trouble goes on nobody can tell when a value
// should have gone at the latest. A value is looked at before its end and after it.
const (
	lifetime  = time.Second
	tooEarly  = 985 * time.Millisecond // for an answer before its end
	tooLate   = lifetime + 300*time.Millisecond
	lifetimes = 30 * time.Second // for all of it
)

// timeLives has a client write a value into each group, and look whether it lives as long as it was
// given. All clocks show the same by now.
func (w *world) timeLives() {
	if w.plan.Workload.HasOnlyQueues() {
		return
	}
	c := newClient(w, len(w.clients)+1, func(c *client) {
		for g := range w.plan.Groups {
			c.timeLife(w.keyOf(flotilla.GroupID(g + 1)))
		}
	})
	c.home = nil
	w.after(0, c.resume)
	if !w.await(w.now+lifetimes, func() bool { return c.isEnded }) {
		w.fault("%v were not enough to see whether values live as long as they should:\n%s", lifetimes, w.describe())
	}
	c.stop()
}

// keyOf returns a key of a group that nobody else uses.
func (w *world) keyOf(g flotilla.GroupID) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf("lifetime:%d", i); w.silence.groupOf(key) == g {
			return key
		}
	}
}

func (c *client) timeLife(key string) {
	millis := fmt.Sprint(lifetime.Milliseconds())
	begun := c.w.now
	c.insistOn("write "+key, func() error { return c.run("set", key, "there", "px", millis) })
	if c.w.now-begun > tooLate-lifetime {
		return // it was not answered at once: nobody knows from when on it counts
	}
	for _, look := range []struct {
		at      time.Duration
		isThere bool
	}{{tooEarly, true}, {tooLate, false}} {
		c.sleep(begun + look.at - c.w.now)
		if look.isThere {
			// What expires does so in the log's time, which goes on with its entries. In the end it has to
			// go without any.
			c.insistOn("write beside "+key, func() error { return c.run("set", "{"+key+"}:beside", "now") })
		}
		var told told
		asked := c.w.now
		c.insistOn("read "+key, func() error {
			c.session.Level = flotilla.Level(check.LevelLinearizable)
			told = c.send(1, func(s *store.Session) error { return s.Add(store.Lookup([]byte("get")), bytesOf("get", key)) })[0]
			return nil
		})
		isThere := told.kind == '$'
		if told.outcome != check.Known || c.w.now > asked+tooLate-lifetime {
			return
		}
		if look.isThere && !isThere && c.w.now >= begun+lifetime {
			continue // the answer took too long to tell
		}
		c.w.count("lifetime looked at")
		if isThere != look.isThere {
			c.w.fault("%s was to live for %v, and %v after it was asked for it is there: %v", key, lifetime, c.w.now-begun, isThere)
		}
	}
}

// run carries out one command.
func (c *client) run(words ...string) error {
	args := bytesOf(words...)
	told := c.send(1, func(s *store.Session) error { return s.Add(store.Lookup(args[0]), args) })[0]
	if told.outcome != check.Known {
		return flotilla.Unknown(flotilla.Timeout, "no answer")
	}
	return nil
}
