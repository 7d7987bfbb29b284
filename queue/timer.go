package queue

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"flotilla"
)

// What will fall due lies in the state by its time, and the milliseconds that have
// anything are in a trie, so that the next one is found without a scan over those
// that were cancelled. Numbers that are neighbours share a bitmap, so that the leases
// that begin together are one write:
//
//	'q' 't' at:8 gen:8 kind:1 index:8 → bit j: the number index*64 + j
//	'q' 'u' at:8                      → how many of these bitmaps there are
//
// A timer of data that is gone does nothing. Of one time and queue, those of message groups
// come before those of messages, which may end a lease, and so take a group's timer back:
// 'g' is less than 'm'.
const (
	timerMessage   = 'm' // a delay or a lease ends; number is the message
	timerExpiry    = 'x' // a message that came with an older date has to go
	timerGroup     = 'g' // a message group may give out again, or is to be forgotten
	timerQueue     = 'q' // a queue may give out again
	timerSweep     = 's' // something of a queue is too old
	timerSchedule  = 'a' // a scheduled message is to be sent
	timerRecurring = 'r' // a recurring message is to be sent
	timerMove      = 'v' // a message move task goes on
	timerTombstone = 'z' // a partition was deleted long ago
	timerMoved     = 'h' // the handles of a message that went to another queue are forgotten
)

// timer is one thing that falls due.
type timer struct {
	at     flotilla.Millis
	gen    uint64
	kind   byte
	number uint64
}

// due is how many bitmaps of timers a millisecond has.
type due struct {
	at      flotilla.Millis
	count   uint64
	isDirty bool
}

// timerMap is the timers of one time, queue and kind whose numbers are neighbours.
type timerMap struct {
	of      timer // number is the index
	bits    uint64
	isThere bool // the state has it
	isDirty bool
}

// place returns the bitmap that a timer is in, named as a timer, and its bit.
func (t timer) place() (of timer, bit uint64) {
	of, bit = t, 1<<(t.number&63)
	of.number >>= 6
	return of, bit
}

// appendKey appends the key of a bitmap.
func (t timer) appendKey(key []byte) []byte {
	key = binary.BigEndian.AppendUint64(append(key, byte(flotilla.SystemQueue), spaceTimer), uint64(t.at))
	key = binary.BigEndian.AppendUint64(key, t.gen)
	return binary.BigEndian.AppendUint64(append(key, t.kind), t.number)
}

func dueKey(at flotilla.Millis) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(flotilla.SystemQueue), spaceDue}, uint64(at))
}

// timers is the trie of the milliseconds that have timers.
func timers() trie {
	height := uint64(timerHeight)
	return trie{height: &height}
}

// nextDue returns the earliest time that has a timer.
func (e *entry) nextDue() flotilla.Millis {
	if at, ok := e.next(timers(), 0); ok {
		return flotilla.Millis(at)
	}
	return flotilla.Never
}

func (e *entry) dueAt(at flotilla.Millis) *due {
	if d := e.dues[at]; d != nil {
		return d
	}
	d := &due{at: at}
	if e.has(timers(), uint64(at)) { // else the state would be asked for nothing, which costs most
		value, _ := e.r.Get(dueKey(at))
		d.count, _ = binary.Uvarint(value)
	}
	e.dues[at] = d
	return d
}

// timerMap returns a bitmap, from memory or from the state.
func (e *entry) timerMap(of timer) *timerMap {
	if m := e.timerMaps[of]; m != nil {
		return m
	}
	m := &timerMap{of: of}
	if e.dueAt(of.at).count > 0 {
		e.keyBuf = of.appendKey(e.keyBuf[:0])
		if value, ok := e.r.Get(e.keyBuf); ok {
			flotilla.Assert(len(value) == 8, "a bitmap of timers has 8 bytes")
			m.bits, m.isThere = binary.BigEndian.Uint64(value), true
		}
	}
	e.timerMaps[of] = m
	return m
}

// arm sets a timer that is not set yet.
func (e *entry) arm(t timer) {
	of, bit := t.place()
	m := e.timerMap(of)
	if m.bits == 0 {
		d := e.dueAt(t.at)
		d.count++
		d.isDirty = true
		if d.count == 1 {
			e.add(timers(), uint64(t.at))
		}
	}
	flotilla.Assert(m.bits&bit == 0, "a timer is set once")
	m.bits |= bit
	m.isDirty = true
	e.tx.WakeAt(t.at)
}

// disarm takes back a timer that is set.
func (e *entry) disarm(t timer) {
	of, bit := t.place()
	m := e.timerMap(of)
	flotilla.Assert(m.bits&bit != 0, "a timer that is taken back was set")
	m.bits &^= bit
	m.isDirty = true
	if m.bits != 0 {
		return
	}
	d := e.dueAt(t.at)
	d.count--
	d.isDirty = true
	if d.count == 0 {
		e.remove(timers(), uint64(t.at))
	}
}

// takeDue takes back and returns timers whose time has come, limit at most.
func (e *entry) takeDue(limit int) (taken []timer) {
	at := e.nextDue()
	if at > e.tx.Time {
		return nil
	}
	e.saveTimers() // so that the scan sees what is set in this entry
	start := []byte{byte(flotilla.SystemQueue), spaceTimer}
	end := binary.BigEndian.AppendUint64(start[:2:2], uint64(at)+1)
	start = binary.BigEndian.AppendUint64(start, uint64(at))
	for key, value := range e.tx.Scan(start, end) {
		t := timer{at: at, gen: binary.BigEndian.Uint64(key[10:]), kind: key[18]}
		first := binary.BigEndian.Uint64(key[19:]) << 6
		for left := binary.BigEndian.Uint64(value); left != 0 && len(taken) < limit; left &= left - 1 {
			t.number = first + uint64(bits.TrailingZeros64(left))
			taken = append(taken, t)
		}
		if len(taken) == limit {
			break
		}
	}
	flotilla.Assert(len(taken) > 0, "a millisecond that is marked has timers")
	for _, t := range taken {
		e.disarm(t)
	}
	return taken
}

// saveTimers writes the bitmaps and counts that changed, in a fixed order.
func (e *entry) saveTimers() {
	var maps []*timerMap
	for _, m := range e.timerMaps {
		if m.isDirty {
			maps = append(maps, m)
		}
	}
	slices.SortFunc(maps, func(a, b *timerMap) int {
		x, y := a.of, b.of
		return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.gen, y.gen), cmp.Compare(x.kind, y.kind), cmp.Compare(x.number, y.number))
	})
	for _, m := range maps {
		e.keyBuf = m.of.appendKey(e.keyBuf[:0])
		m.isThere, m.isDirty = e.saveBits(e.keyBuf, m.bits, m.isThere), false
	}
	var dues []*due
	for _, d := range e.dues {
		if d.isDirty {
			dues = append(dues, d)
		}
	}
	slices.SortFunc(dues, func(a, b *due) int { return cmp.Compare(a.at, b.at) })
	for _, d := range dues {
		d.isDirty = false
		if d.count == 0 {
			e.tx.Delete(dueKey(d.at))
			continue
		}
		e.tx.Set(dueKey(d.at), binary.AppendUvarint(nil, d.count))
	}
}
