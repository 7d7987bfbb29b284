package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// silence knows for how long there was no answer. In liveness mode that counts for each client
// by itself: all of its requests are for one node, which the plan says must go on. In safety
// mode any client's answer will do, and only a plan that demands it bounds the silence.
type silence struct {
	w       *world
	bound   time.Duration // zero: none
	heardOf check.Silence
	longest time.Duration
	told    map[int]bool // by who
}

func newSilence(w *world) *silence {
	s := &silence{w: w, bound: durationOf(w.plan.Demand.Silence), told: map[int]bool{}}
	if s.bound == 0 && w.plan.Mode == scenario.Liveness {
		s.bound = durationOf(scenario.MaxSilence)
	}
	s.heardOf.Idle = cmp.Or(s.bound, durationOf(scenario.MaxSilence)) / 2
	return s
}

// who is whose silence an answer to the client ends.
func (s *silence) who(c *client) int {
	if s.w.plan.Mode == scenario.Liveness {
		return c.number
	}
	return everybody
}

const everybody = -1

// heard notes what became of an operation that began at a time.
func (s *silence) heard(c *client, o check.Operation, begin time.Duration) {
	need := o.Need()
	if o.Kind == check.Transaction {
		o.Key = o.Parts[0].Key
	}
	if o.Key == "" { // of what has no key in the history
		s.take(c, flotilla.Directory, need, o.Outcome == check.Known, begin)
		return
	}
	s.take(c, s.groupOf(o.Key), need, o.Outcome == check.Known, begin)
}

// heardNobody notes that a client found no node to ask since a time.
func (s *silence) heardNobody(c *client, begin time.Duration) {
	if s.who(c) != everybody {
		s.take(c, flotilla.Directory, check.Changing, false, begin)
		return
	}
	for group := range flotilla.GroupID(s.w.plan.Groups + 1) {
		for _, need := range []check.Need{check.Changing, check.FreshReading, check.WeakReading} {
			if s.heardOf.Knows(check.Asked{Who: s.who(c), Group: int(group), Need: need}) {
				s.take(c, group, need, false, begin)
			}
		}
	}
}

// heardOfQueue is heard for operations of queues.
func (s *silence) heardOfQueue(c *client, o check.QueueOperation, begin time.Duration) {
	need := check.Changing
	if o.Kind == check.Tally {
		need = check.FreshReading
	}
	s.take(c, s.groupOf(o.Queue), need, o.Outcome == check.Known, begin)
}

// take notes whether a group has answered what began at a time.
func (s *silence) take(c *client, group flotilla.GroupID, need check.Need, isAnswered bool, begin time.Duration) {
	ofKind, ofAll := s.heardOf.Heard(c.number, check.Asked{Who: s.who(c), Group: int(group), Need: need}, isAnswered, begin, s.w.now)
	s.judge(c, ofKind, fmt.Sprintf("a %s that was asked of %v", need, group))
	s.judge(c, ofAll, "anything at all")
}

// judge asks whether a time without an answer to something was too long.
func (s *silence) judge(c *client, l check.Lull, what string) {
	who := s.who(c)
	s.longest = max(s.longest, l.Long)
	if s.bound == 0 || l.Long <= s.bound || s.told[who] {
		return
	}
	s.told[who] = true
	from := (l.Since - s.w.zero).Seconds()
	if who == everybody {
		s.w.fault("clients starve: from %.3f s of the plan on, for %v, nobody was answered %s; the plan demands less than %v:\n%s",
			from, l.Long, what, s.bound, s.w.describe())
		return
	}
	s.w.fault("client %d starves: from %.3f s of the plan on, for %v, it was not answered %s by %v, which must go on; %v is allowed:\n%s", c.number,
		from, l.Long, what, c.home.id, s.bound, s.w.describe())
}

// groupOf returns the group that a key belongs to. A new cluster has dealt the slots out
// evenly, in order.
func (s *silence) groupOf(key string) flotilla.GroupID {
	return flotilla.GroupID(int(flotilla.SlotOf([]byte(key)))*s.w.plan.Groups/flotilla.Slots + 1)
}

// homes returns the nodes that clients of a liveness plan may ask.
func (w *world) homes() []*node {
	return slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return slices.Contains(w.plan.Without, n.id) })
}
