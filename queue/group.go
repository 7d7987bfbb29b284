package queue

import (
	"encoding/binary"
	"math"

	"flotilla"
)

// group is what is counted of a message group on a queue that limits these, for all its
// lanes together. There is one only as long as there is something to remember: the group
// gave out a message and its bucket is not full again, or it has leases that count. So a
// group whose messages are all gone is not forgotten with what it gave out, and one that
// has no leases and was quiet for a second costs nothing.
//
//	                      room(): none left
//	          ┌──────────────────────────────────────┐
//	lanes in their rings                     all lanes paused
//	          └──────────────────────────────────────┘
//	           the timer, or a lease that ended: some
//
// A change of the limits reaches a group that is paused when its timer fires, after a
// second at most, or when one of its leases ends; any other with the next receive.
type group struct {
	number   uint64
	name     string
	leased   uint64          // leases that count, those that began while there was a cap
	rate     bucket          // what it gave out
	wakeAt   flotilla.Millis // when its timer is set for; 0: it is not
	isSpent  bool            // its bucket is not full: it is in the trie of those, and its timer is set
	isPaused bool            // it may give out nothing: none of its lanes is in a ring

	isChanged bool // not part of the state
}

func (g *group) fields(c *coder) {
	c.num(&g.number)
	c.text(&g.name)
	c.num(&g.leased)
	g.rate.fields(c)
	c.millis(&g.wakeAt)
	c.bool(&g.isSpent)
	c.bool(&g.isPaused)
}

// groupShare returns a partition's part of what a message group may do, which on a FIFO
// queue is in one partition.
func (q *queue) groupShare(value int64) uint64 {
	if q.settings.isFIFO() {
		return uint64(value)
	}
	return q.share(uint64(value))
}

func (q *queue) groupRate() uint64 { return q.groupShare(q.settings.values[groupRateLimit]) }
func (q *queue) groupCap() uint64  { return q.groupShare(q.settings.values[groupInFlightCap]) }

// limits reports whether a queue limits what a message group may do. Messages of none
// have no limit.
func (q *queue) limits(groupName string) bool {
	return groupName != "" && (q.settings.values[groupRateLimit] > 0 || q.settings.values[groupInFlightCap] > 0)
}

func (q *queue) spentGroups() trie {
	return trie{gen: q.gen, number: trieGroups, height: &q.groupsHeight}
}

func groupNameKey(gen uint64, name string) []byte {
	return append(dataKey(gen, spaceGroupName), name...)
}

// group returns a group that exists.
func (e *entry) group(q *queue, number uint64) *group {
	if g := q.groups[number]; g != nil {
		return g
	}
	value, ok := e.r.Get(e.numberKey(q, spaceGroup, number))
	flotilla.Assert(ok, "a group whose number is known exists")
	g := &group{}
	e.coder.mustDecode(value, g)
	q.hold(g)
	return g
}

func (q *queue) hold(g *group) {
	if q.groups == nil {
		q.groups, q.groupNumbers = map[uint64]*group{}, map[string]uint64{}
	}
	q.groups[g.number], q.groupNumbers[g.name] = g, g.number
}

// findGroup returns what is counted of a message group, or nil.
func (e *entry) findGroup(q *queue, name string) *group {
	if number, ok := q.groupNumbers[name]; ok {
		return e.group(q, number)
	}
	if q.nextGroup == 0 { // there never was one
		return nil
	}
	value, ok := e.r.Get(groupNameKey(q.gen, name))
	if !ok {
		return nil
	}
	return e.group(q, binary.BigEndian.Uint64(value))
}

// groupFor returns what is counted of a message group, from now on if need be: settleGroup
// has to follow.
func (e *entry) groupFor(q *queue, name string) *group {
	if g := e.findGroup(q, name); g != nil {
		return g
	}
	g := &group{name: name}
	e.addGroup(q, g)
	return g
}

func (e *entry) addGroup(q *queue, g *group) {
	g.number, g.isChanged = q.nextGroup, true
	q.nextGroup++
	q.isHeaderChanged = true
	q.hold(g)
	e.tx.Set(groupNameKey(q.gen, g.name), binary.BigEndian.AppendUint64(nil, g.number))
}

// room lets time pass, and returns how many messages a group may give out now.
func (g *group) room(q *queue, now flotilla.Millis) uint64 {
	room := uint64(math.MaxUint64)
	if rate := q.groupRate(); rate > 0 {
		room = g.rate.refill(now, rate)
	} else {
		g.rate.spent = 0
	}
	if most := q.groupCap(); most > 0 {
		room = min(room, most-min(most, g.leased))
	}
	return room
}

// isAtCap reports whether as many leases of a message group count as may.
func (e *entry) isAtCap(q *queue, groupName string) bool {
	most := q.groupCap()
	if most == 0 || groupName == "" {
		return false
	}
	g := e.findGroup(q, groupName)
	return g != nil && g.leased >= most
}

// count marks a lease of a message group as one that counts, if there is a cap on these.
func (e *entry) count(q *queue, groupName string, l *lease) {
	if groupName == "" || q.groupCap() == 0 {
		return
	}
	l.isCounted = true
	e.groupFor(q, groupName).leased++
}

// uncount ends what count began, whatever the cap is by now.
func (e *entry) uncount(q *queue, groupName string, l *lease) {
	if !l.isCounted {
		return
	}
	l.isCounted = false
	g := e.findGroup(q, groupName)
	flotilla.Assert(g != nil && g.leased > 0, "a lease that counts was counted")
	g.leased--
	e.settleGroup(q, g)
}

// settleGroup notes that a group changed: whether it may give out a message now decides
// if its lanes are paused. One of which there is nothing to remember is forgotten.
func (e *entry) settleGroup(q *queue, g *group) {
	g.isChanged = true
	if isFull := g.room(q, e.now) == 0; isFull != g.isPaused {
		g.isPaused = isFull
		e.pauseLanes(q, g)
	}
	e.watch(q, g)
	if g.leased == 0 && !g.isSpent {
		delete(q.groups, g.number)
		delete(q.groupNumbers, g.name)
		e.tx.Delete(groupNameKey(q.gen, g.name))
		e.tx.Delete(e.numberKey(q, spaceGroup, g.number))
	}
}

// pauseLanes lets all lanes of a group, of whatever priority, pause or go on as the group does.
func (e *entry) pauseLanes(q *queue, g *group) {
	most := uint64(maxPriority)
	if q.settings.isFIFO() { // whose messages have no priority
		most = 0
	}
	for priority := range most + 1 {
		if l := e.findLane(q, laneName{priority, g.name}); l != nil {
			l.isPaused = g.isPaused
			e.place(q, l)
		}
	}
}

// watch sees to it that a group whose bucket is not full is looked at when it has one more
// message to give out, or if it has some when it is full.
func (e *entry) watch(q *queue, g *group) {
	at := flotilla.Millis(0)
	if g.rate.spent > 0 {
		at = g.rate.nextAt(q.groupRate())
	}
	t := timer{gen: q.gen, kind: timerGroup, number: g.number}
	if g.wakeAt != 0 && (at == 0 || at < g.wakeAt) { // one that comes too early sets the next
		t.at, g.wakeAt = g.wakeAt, 0
		e.disarm(t)
	}
	if at != 0 && g.wakeAt == 0 {
		t.at, g.wakeAt = at, at
		e.arm(t)
	}
	if isSpent := at != 0; isSpent != g.isSpent {
		g.isSpent, q.isHeaderChanged = isSpent, true
		if isSpent {
			e.add(q.spentGroups(), g.number)
		} else {
			e.remove(q.spentGroups(), g.number)
		}
	}
}

// groupDue looks at a group whose timer fired.
func (e *entry) groupDue(q *queue, number uint64) {
	g := e.group(q, number)
	g.wakeAt = 0
	e.settleGroup(q, g)
}

// spent returns what the groups of a queue gave out that still counts, for a purge. It
// costs as much as there are groups that gave out a message in the last second.
func (e *entry) spent(q *queue) (all []*group) {
	for number, ok := e.next(q.spentGroups(), 0); ok; number, ok = e.next(q.spentGroups(), number+1) {
		g := e.group(q, number)
		all = append(all, &group{name: g.name, rate: g.rate})
	}
	return all
}

// carry lets new data of a queue go on with what its groups gave out. It has no lanes yet.
func (e *entry) carry(q *queue, all []*group) {
	for _, g := range all {
		g.isPaused = g.room(q, e.now) == 0
		if g.rate.spent > 0 {
			e.addGroup(q, g)
			e.settleGroup(q, g)
		}
	}
}
