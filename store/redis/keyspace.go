package redis

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
)

// Keyspace notifications, and how they reach a node that holds no copy of the
// key's group. Such a node applies none of the group's entries, so somebody must
// tell it: the node that leads the group does, if it knows that someone asks.
//
//	CONFIG SET on n3 ── interest: its flags ──▶ all, at once and every 3 s
//	SET k on g1      ── event, by g1's leader ─▶ all; who holds g1 has seen it
//
// An event arrives at most once: it is lost with a message, and with a leader
// that goes before it has told; the index keeps the next leader's copy of it out.

// Kinds of mail, beside those of PUBLISH.
const (
	mailInterest = 'i' // the sender's flags, uvarint
	mailEvent    = 'e' // group, index uvarint; class; length of name uvarint, name; key
)

const (
	announceEvery  = 3 * time.Second
	interestMillis = 10_000 // how long others believe it
)

// distant is what a door knows of the nodes that ask for events, and of the
// events that it got from others.
type distant struct {
	announcer sync.WaitGroup // the goroutine of announce
	asking    atomic.Int64   // Unix milliseconds until which anyone asks; mostly 0

	mu           sync.Mutex // guards what follows
	isAnnouncing bool
	interests    map[flotilla.NodeID]interest
	newest       map[flotilla.GroupID]origin
}

// interest is what a node asks for.
type interest struct {
	flags uint32
	until int64 // Unix milliseconds
}

// origin is where the newest event of a group came from.
type origin struct {
	from  flotilla.NodeID
	index uint64
}

// setNotify changes notify-keyspace-events and tells the others. While it is not
// empty a goroutine repeats that, for those that did not hear it.
func (s *Server) setNotify(flags uint32) {
	d := &s.distant
	d.mu.Lock()
	s.config.notify.Store(flags)
	isNew := flags != 0 && !d.isAnnouncing
	if isNew {
		d.isAnnouncing = true
		d.announcer.Add(1)
	}
	d.mu.Unlock()
	s.sayInterest(flags)
	if isNew {
		go s.announce()
	}
}

func (s *Server) sayInterest(flags uint32) {
	s.Host.Broadcast(flotilla.SystemStore, binary.AppendUvarint([]byte{mailInterest}, uint64(flags)))
}

// announce repeats what this node asks for until that is nothing.
func (s *Server) announce() {
	d := &s.distant
	defer d.announcer.Done()
	ticker := time.NewTicker(announceEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.hard.Done():
			return
		}
		d.mu.Lock()
		flags := s.config.notify.Load()
		d.isAnnouncing = flags != 0
		d.mu.Unlock()
		if flags == 0 {
			return
		}
		s.sayInterest(flags)
	}
}

// onInterest remembers what another node asks for; it runs in the node's loop.
func (s *Server) onInterest(from flotilla.NodeID, mail []byte) {
	flags, n := binary.Uvarint(mail)
	if n <= 0 {
		return
	}
	d, now := &s.distant, time.Now().UnixMilli()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.interests == nil {
		d.interests = map[flotilla.NodeID]interest{}
	}
	d.interests[from] = interest{uint32(flags), now + interestMillis}
	latest := int64(0)
	for node, i := range d.interests {
		if i.flags == 0 || i.until < now {
			delete(d.interests, node)
			continue
		}
		latest = max(latest, i.until)
	}
	d.asking.Store(latest)
}

// onEvent takes what this node's replicas apply; it runs in the node's loop.
func (s *Server) onEvent(event flotilla.Event) {
	s.deliver(event)
	until := s.distant.asking.Load()
	if until == 0 {
		return
	}
	now := time.Now().UnixMilli()
	if now <= until && s.isWantedElsewhere(event, now) {
		s.Host.Broadcast(flotilla.SystemStore, encodeEvent(event))
	}
}

// deliver hands an event to who waits for it on this node.
func (s *Server) deliver(event flotilla.Event) {
	s.waiting.onEvent(event)
	if flags := s.config.notify.Load(); flags != 0 {
		s.notify(event, flags)
	}
}

// isWantedElsewhere reports whether this node shall tell of an event: it leads
// the group, and someone asks who holds no copy of it.
func (s *Server) isWantedElsewhere(event flotilla.Event, now int64) bool {
	group := groupInfo(s.Host.Topology(), event.Group)
	if group == nil || group.Leader != s.Host.Self() {
		return false
	}
	d := &s.distant
	d.mu.Lock()
	defer d.mu.Unlock()
	for node, i := range d.interests {
		if i.until >= now && i.flags&classFlag(event.Class) != 0 && !slices.Contains(group.Nodes, node) {
			return true
		}
	}
	return false
}

func groupInfo(t *flotilla.Topology, id flotilla.GroupID) *flotilla.GroupInfo {
	for i := range t.Groups {
		if t.Groups[i].ID == id {
			return &t.Groups[i]
		}
	}
	return nil
}

func encodeEvent(event flotilla.Event) []byte {
	mail := binary.AppendUvarint([]byte{mailEvent}, uint64(event.Group))
	mail = binary.AppendUvarint(mail, event.Index)
	mail = append(mail, event.Class)
	mail = binary.AppendUvarint(mail, uint64(len(event.Name)))
	return append(append(mail, event.Name...), event.Key...)
}

func decodeEvent(mail []byte) (event flotilla.Event, ok bool) {
	group, n := binary.Uvarint(mail)
	if n <= 0 {
		return event, false
	}
	mail = mail[n:]
	index, n := binary.Uvarint(mail)
	if n <= 0 || n == len(mail) {
		return event, false
	}
	class := mail[n]
	mail = mail[n+1:]
	length, n := binary.Uvarint(mail)
	if n <= 0 || length > uint64(len(mail)-n) {
		return event, false
	}
	mail = mail[n:]
	return flotilla.Event{System: flotilla.SystemStore, Group: flotilla.GroupID(group), Index: index, Class: class,
		Name: string(mail[:length]), Key: mail[length:]}, true
}

// onDistantEvent takes an event that a group's leader tells of. Blocked clients
// of this node are woken by it, too; it runs in the node's loop.
func (s *Server) onDistantEvent(from flotilla.NodeID, mail []byte) {
	event, ok := decodeEvent(mail)
	if !ok || s.config.notify.Load() == 0 {
		return
	}
	group := groupInfo(s.Host.Topology(), event.Group)
	if group != nil && slices.Contains(group.Nodes, s.Host.Self()) {
		return // a replica of this node tells of it
	}
	if s.distant.isNews(event.Group, origin{from, event.Index}) {
		s.deliver(event)
	}
}

// isNews reports whether an event is no repetition: a leader that applies anew
// what the one before it has told of must not tell it twice. An entry may have
// many events, which one node tells of in order.
func (d *distant) isNews(group flotilla.GroupID, o origin) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.newest[group]
	if o.index < last.index || o.index == last.index && o.from != last.from {
		return false
	}
	if d.newest == nil {
		d.newest = map[flotilla.GroupID]origin{}
	}
	d.newest[group] = o
	return true
}

// notify publishes a keyspace event to this node's subscribers.
func (s *Server) notify(event flotilla.Event, flags uint32) {
	if flags&classFlag(event.Class) == 0 {
		return
	}
	if flags&notifyKeyspace != 0 {
		s.hub.publish(byChannel, append([]byte("__keyspace@0__:"), event.Key...), []byte(event.Name))
	}
	if flags&notifyKeyevent != 0 {
		s.hub.publish(byChannel, []byte("__keyevent@0__:"+event.Name), event.Key)
	}
}
