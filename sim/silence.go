package sim

import (
	"slices"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// MaxSilence is for how long a client may get no answer about a group, in liveness mode,
// from a node that must go on. An election takes 1.2 s, a client that asked a leader just
// before it was lost 5 s.
const MaxSilence = 10 * time.Second

// maxIdle is for how long a client may ask for nothing and its silence still go on: two failures
// with nothing asked in between do not show that there was no service all the while.
const maxIdle = MaxSilence / 2

// need is what must be there for an answer. A group may lose the one and have the other, so
// that an answer ends only the silence of its own kind.
type need string

const (
	changing     need = "change"            // a majority that takes entries, and disks with room
	freshReading need = "linearizable read" // a leader that a majority follows
	weakReading  need = "weak read"         // often no more than a copy
)

// asked is what one client asked of one group.
type asked struct {
	client *client
	group  flotilla.GroupID
	need   need
}

// quiet is a time in which nothing was answered of what was asked.
type quiet struct{ since, until time.Duration }

// silence knows since when which client has had no answer. All of a client's requests are
// for one node, which the plan says must go on.
type silence struct {
	w    *world
	open map[asked]quiet
	told map[*client]bool
}

func newSilence(w *world) *silence {
	return &silence{w: w, open: map[asked]quiet{}, told: map[*client]bool{}}
}

// heard notes what became of an operation that began at a time.
func (s *silence) heard(c *client, o check.Operation, begin time.Duration) {
	need := changing
	switch {
	case o.IsRead() && o.Level != check.LevelLinearizable:
		need = weakReading
	case o.IsRead():
		need = freshReading
	}
	if o.Kind == check.Transaction {
		o.Key = o.Parts[0].Key
	}
	group := flotilla.Directory // of what has no key in the history
	if o.Key != "" {
		group = s.groupOf(o.Key)
	}
	s.heardOf(asked{c, group, need}, o.Outcome == check.Known, begin)
}

// heardOfQueue is heard for operations of queues.
func (s *silence) heardOfQueue(c *client, o check.QueueOperation, begin time.Duration) {
	need := changing
	if o.Kind == check.Tally {
		need = freshReading
	}
	s.heardOf(asked{c, s.groupOf(o.Queue), need}, o.Outcome == check.Known, begin)
}

// heardOf notes whether a group has answered what began at a time.
func (s *silence) heardOf(a asked, isAnswered bool, begin time.Duration) {
	if s.w.plan.Mode != scenario.Liveness {
		return
	}
	if isAnswered {
		delete(s.open, a)
		return
	}
	q, isOpen := s.open[a]
	if !isOpen || begin-q.until > maxIdle {
		q.since = begin
	}
	q.until = s.w.now
	s.open[a] = q
	if long := q.until - q.since; long > MaxSilence && !s.told[a.client] {
		s.told[a.client] = true
		s.w.fault("client %d starves: from %.3f s of the plan on, for %v, %v has answered no %s that it asked of %v, and must go on:\n%s", a.client.number,
			(q.since - s.w.zero).Seconds(), long, a.client.home.id, a.need, a.group, s.w.describe())
	}
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
