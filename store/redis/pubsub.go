package redis

import (
	"bytes"
	"encoding/binary"
	"net"
	"sort"
	"sync"

	"flotilla"
	"flotilla/store"
)

// maxOutboxBytes is how far a subscriber may be behind before it is cut off.
const maxOutboxBytes = 32 << 20

// The kinds of subscription.
type subscriptionKind uint8

const (
	byChannel subscriptionKind = iota
	byPattern
	byShard
	subscriptionKinds
)

// hub knows who on this node listens to what. Its lock is held while a message is
// put into outboxes (whose own locks come second): so a subscriber gets messages
// in one order, none before its subscription was confirmed, and none after it
// ended.
type hub struct {
	mu   sync.Mutex
	subs [subscriptionKinds]map[string]map[*conn]bool
}

func (h *hub) start() {
	for kind := range h.subs {
		h.subs[kind] = map[string]map[*conn]bool{}
	}
}

// subscriptions are one connection's, known to its own goroutine.
type subscriptions [subscriptionKinds]map[string]bool

func (s *subscriptions) any() bool { return len(s[byChannel])+len(s[byPattern])+len(s[byShard]) > 0 }

// count is what a confirmation says: shard channels are counted apart.
func (s *subscriptions) count(kind subscriptionKind) int {
	if kind == byShard {
		return len(s[byShard])
	}
	return len(s[byChannel]) + len(s[byPattern])
}

// outbox is what is to be sent to a connection that others write to, too. It has
// a goroutine of its own, so that nobody waits for the socket.
type outbox struct {
	socket net.Conn
	server *Server
	wake   chan struct{} // one token; closed by nobody
	done   chan struct{} // closed by write when it ends

	mu      sync.Mutex // guards what follows
	waiting []byte
	isOver  bool // no more will come
}

func newOutbox(s *Server, socket net.Conn) *outbox {
	o := &outbox{socket: socket, server: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go o.write()
	return o
}

// append queues bytes; a reader that is too slow loses its connection.
func (o *outbox) append(b []byte) {
	o.mu.Lock()
	isTooSlow := len(o.waiting)+len(b) > maxOutboxBytes && !o.isOver
	if isTooSlow {
		o.isOver = true
		o.waiting = nil
	}
	if !o.isOver {
		o.waiting = append(o.waiting, b...)
	}
	o.mu.Unlock()
	if isTooSlow {
		o.server.counters.slow.Add(1)
		_ = o.socket.Close()
	}
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close waits until all has been sent or the socket failed.
func (o *outbox) close() {
	o.mu.Lock()
	o.isOver = true
	o.mu.Unlock()
	o.signal()
	<-o.done
}

// write sends what is queued until the outbox is closed.
func (o *outbox) write() {
	defer close(o.done)
	var sending []byte
	for range o.wake {
		for {
			o.mu.Lock()
			sending, o.waiting = o.waiting, sending[:0]
			isOver := o.isOver
			o.mu.Unlock()
			if len(sending) == 0 && isOver {
				return
			}
			if len(sending) == 0 {
				break
			}
			n, err := o.socket.Write(sending)
			o.server.counters.bytesOut.Add(uint64(n))
			if err != nil {
				_ = o.socket.Close()
				return
			}
			if cap(sending) > keepBufferBytes {
				sending = nil
			}
		}
	}
}

// subscribe confirms a subscription and begins it, in one step.
func (c *conn) subscribe(kind subscriptionKind, name string) {
	if c.outbox == nil {
		c.flush()
		c.outbox = newOutbox(c.server, c.socket)
		c.server.counters.subscribers.Add(1)
	}
	c.flush()
	if c.subs[kind] == nil {
		c.subs[kind] = map[string]bool{}
	}
	c.subs[kind][name] = true
	c.setFlag(flagPubSub, true)
	h := &c.server.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[kind][name] == nil {
		h.subs[kind][name] = map[*conn]bool{}
	}
	h.subs[kind][name][c] = true
	c.confirm([...]string{"subscribe", "psubscribe", "ssubscribe"}[kind], kind, name)
	c.flush()
}

// unsubscribe ends a subscription, if there is one, and confirms that.
func (c *conn) unsubscribe(kind subscriptionKind, name string) {
	h := &c.server.hub
	h.mu.Lock()
	h.remove(c, kind, name)
	h.mu.Unlock()
	delete(c.subs[kind], name)
	c.confirm([...]string{"unsubscribe", "punsubscribe", "sunsubscribe"}[kind], kind, name)
	c.setFlag(flagPubSub, c.subs.any())
}

func (h *hub) remove(c *conn, kind subscriptionKind, name string) {
	delete(h.subs[kind][name], c)
	if len(h.subs[kind][name]) == 0 {
		delete(h.subs[kind], name)
	}
}

// leave forgets a connection.
func (h *hub) leave(c *conn) {
	if !c.subs.any() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for kind := range subscriptionKinds {
		for name := range c.subs[kind] {
			h.remove(c, kind, name)
		}
		c.subs[kind] = nil
	}
}

func (c *conn) confirm(word string, kind subscriptionKind, name string) {
	c.out.push(3)
	c.out.text(word)
	c.out.text(name)
	c.out.int(c.subs.count(kind))
}

// publish delivers to this node's subscribers and returns how many there are.
func (h *hub) publish(kind subscriptionKind, channel, message []byte) (receivers int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	word := "message"
	if kind == byShard {
		word = "smessage"
	}
	var plain, pattern delivery
	for c := range h.subs[kind][string(channel)] {
		c.outbox.append(plain.bytes(c.isPush(), word, nil, channel, message))
		receivers++
	}
	if kind != byChannel {
		return receivers
	}
	for glob, conns := range h.subs[byPattern] {
		if !store.MatchGlob([]byte(glob), channel) {
			continue
		}
		pattern = delivery{}
		for c := range conns {
			c.outbox.append(pattern.bytes(c.isPush(), "pmessage", []byte(glob), channel, message))
			receivers++
		}
	}
	return receivers
}

// isPush reports whether the connection speaks RESP3, for other goroutines.
func (c *conn) isPush() bool { return c.flags.Load()&flagRESP3 != 0 }

// delivery is one message in both protocols, made when first needed.
type delivery [2]encoder

func (d *delivery) bytes(isRESP3 bool, word string, pattern, channel, message []byte) []byte {
	e := &d[0]
	if isRESP3 {
		e = &d[1]
		e.isRESP3 = true
	}
	if e.buf != nil {
		return e.buf
	}
	if pattern == nil {
		e.push(3)
		e.text(word)
	} else {
		e.push(4)
		e.text(word)
		e.bulk(pattern)
	}
	e.bulk(channel)
	e.bulk(message)
	return e.buf
}

// What PUBLISH sends to the other nodes: kind, length of channel uvarint, channel, message.
const (
	mailPublish      = 'p'
	mailShardPublish = 's'
)

// publish answers PUBLISH and SPUBLISH with the receivers on this node.
func (c *conn) publish(kind subscriptionKind, channel, message []byte) {
	mail := []byte{mailPublish}
	if kind == byShard {
		mail[0] = mailShardPublish
	}
	mail = binary.AppendUvarint(mail, uint64(len(channel)))
	mail = append(append(mail, channel...), message...)
	if c.outbox != nil {
		c.flush() // what was asked before comes before a message to oneself
	}
	c.server.Host.Broadcast(flotilla.SystemStore, mail)
	c.out.int(c.server.hub.publish(kind, channel, message))
}

// onMail takes what another node sent; it runs in the node's loop.
func (s *Server) onMail(from flotilla.NodeID, mail []byte) {
	if len(mail) < 2 {
		return
	}
	kind := byChannel
	switch mail[0] {
	case mailPublish:
	case mailShardPublish:
		kind = byShard
	case mailInterest:
		s.onInterest(from, mail[1:])
		return
	case mailEvent:
		s.onDistantEvent(from, mail[1:])
		return
	default: // from a newer version
		return
	}
	length, n := binary.Uvarint(mail[1:])
	rest := mail[1+max(n, 0):]
	if n <= 0 || length > uint64(len(rest)) {
		return
	}
	s.hub.publish(kind, rest[:length], rest[length:])
}

// names returns what has subscribers, in order.
func (h *hub) names(kind subscriptionKind, pattern []byte) (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.subs[kind] {
		if pattern == nil || store.MatchGlob(pattern, []byte(name)) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func (h *hub) receivers(kind subscriptionKind, name []byte) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs[kind][string(name)])
}

// cmdSubscribe is SUBSCRIBE, PSUBSCRIBE and SSUBSCRIBE.
func cmdSubscribe(kind subscriptionKind) handler {
	return func(r *request) {
		if kind == byShard && !isOneSlot(r.args[1:]) {
			r.c.fail(r.cmd, store.ErrCrossSlot.Error())
			return
		}
		for _, name := range r.args[1:] {
			r.c.subscribe(kind, string(name))
		}
	}
}

// cmdUnsubscribe is UNSUBSCRIBE and its kin; without names it ends all of a kind.
func cmdUnsubscribe(kind subscriptionKind) handler {
	return func(r *request) {
		c := r.c
		for _, name := range r.args[1:] {
			c.unsubscribe(kind, string(name))
		}
		if len(r.args) > 1 {
			return
		}
		var all []string
		for name := range c.subs[kind] {
			all = append(all, name)
		}
		sort.Strings(all)
		for _, name := range all {
			c.unsubscribe(kind, name)
		}
		if len(all) == 0 {
			c.out.push(3)
			c.out.text([...]string{"unsubscribe", "punsubscribe", "sunsubscribe"}[kind])
			c.out.null()
			c.out.int(c.subs.count(kind))
		}
	}
}

func cmdPublish(kind subscriptionKind) handler {
	return func(r *request) { r.c.publish(kind, r.args[1], r.args[2]) }
}

func cmdPubSub(r *request) {
	c, h := r.c, &r.c.server.hub
	var pattern []byte
	if len(r.args) > 2 {
		pattern = r.args[2]
	}
	switch sub := r.sub(); {
	case sub == "channels" && len(r.args) <= 3:
		c.out.texts(h.names(byChannel, pattern))
	case sub == "shardchannels" && len(r.args) <= 3:
		c.out.texts(h.names(byShard, pattern))
	case sub == "numpat" && len(r.args) == 2:
		c.out.int(len(h.names(byPattern, nil)))
	case sub == "numsub" || sub == "shardnumsub":
		kind := byChannel
		if sub == "shardnumsub" {
			kind = byShard
		}
		c.out.array(2 * len(r.args[2:]))
		for _, name := range r.args[2:] {
			c.out.bulk(name)
			c.out.int(h.receivers(kind, name))
		}
	case sub == "help":
		r.help()
	default:
		r.unknownSub()
	}
}

func isForSubscribers(name string) bool {
	switch name {
	case "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "ping", "quit", "reset":
		return true
	}
	return false
}

func isOneSlot(keys [][]byte) bool {
	for _, key := range keys[1:] {
		if !bytes.Equal(key, keys[0]) && flotilla.SlotOf(key) != flotilla.SlotOf(keys[0]) {
			return false
		}
	}
	return true
}
