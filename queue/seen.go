package queue

import (
	"cmp"
	"encoding/binary"

	"flotilla"
)

// What a FIFO queue remembers for five minutes: deduplication ids, and which
// messages a receive attempt was given. Deduplication ids outlive a purge: they stay in the
// data that the queue had when the first of them was remembered, see seenGen.

// seen is what is remembered of one of them.
type seen struct {
	at        flotilla.Millis
	number    uint64 // of the message that was sent
	messageID string
	given     []given // to the receive attempt
}

// given is a lease of a receive attempt.
type given struct {
	number, token uint64
	until         flotilla.Millis // when it ends, as the attempt was told; 0: not known, it is from before
}

func (s *seen) fields(c *coder) {
	c.millis(&s.at)
	c.num(&s.number)
	c.text(&s.messageID)
	list(c, &s.given, func(g *given) { c.num(&g.number); c.num(&g.token) })
	c.tail(len(s.given) > 0, func() {
		for i := range s.given {
			c.millis(&s.given[i].until)
		}
	})
}

// memory is the number of the data in which deduplication ids are, and the list of all that
// is remembered.
func (q *queue) memory() uint64 { return cmp.Or(q.seenGen, q.gen) }

// seenAtKey is a place in that list, valid until the next key is asked for.
func (e *entry) seenAtKey(q *queue, number uint64) []byte {
	e.keyBuf = binary.BigEndian.AppendUint64(appendDataKey(e.keyBuf[:0], q.memory(), spaceSeenAt), number)
	return e.keyBuf
}

// dedupKey is where the message's deduplication id is remembered: that of the queue
// or of its message group.
func dedupKey(q *queue, s *SendEntry) []byte {
	key := append(dataKey(q.memory(), spaceSeen), 'd')
	group := ""
	if q.settings.values[deduplicationScope] == scopeMessageGroup {
		group = s.MessageGroupID
	}
	key = append(append(key, byte(len(group))), group...)
	return append(key, s.MessageDeduplicationID...)
}

func attemptKey(q *queue, id string) []byte {
	return append(append(dataKey(q.gen, spaceSeen), 'r'), id...)
}

// seen returns what is remembered under a key.
func (e *entry) seen(key []byte) (s seen, ok bool) {
	value, ok := e.r.Get(key)
	if !ok {
		return s, false
	}
	mustDecode(value, &s)
	return s, e.now < s.at+DeduplicationSeconds*1000
}

// remember keeps s under a key for as long as it counts.
func (e *entry) remember(q *queue, key []byte, s seen) {
	s.at = e.now
	e.tx.Set(key, encode(nil, &s))
	place := binary.BigEndian.AppendUint64(nil, uint64(e.now))
	e.tx.Set(e.seenAtKey(q, q.seenNext), append(place, key...))
	q.seenNext++
	q.isHeaderChanged = true
	e.sweepBy(q, e.now+forgetMillis)
}

// forgetMillis is when what was seen may be forgotten; a second more than it counts,
// so that much is forgotten in one go.
const forgetMillis = (DeduplicationSeconds + 1) * 1000

// forget removes what was remembered and is too old, limit at most, and returns when
// there will be more.
func (e *entry) forget(q *queue, limit int) (work int, next flotilla.Millis) {
	for ; q.seenFirst < q.seenNext; q.seenFirst++ {
		place := e.seenAtKey(q, q.seenFirst)
		value, ok := e.r.Get(place)
		flotilla.Assert(ok && len(value) > 8, "what is remembered is listed")
		at, key := flotilla.Millis(binary.BigEndian.Uint64(value)), value[8:]
		if at+DeduplicationSeconds*1000 > e.now {
			return work, at + forgetMillis
		}
		if work == limit {
			return work, e.now
		}
		if _, isFresh := e.seen(key); !isFresh { // else it was remembered again, and has a later place
			e.tx.Delete(key)
		}
		e.tx.Delete(place)
		q.isHeaderChanged = true
		work++
	}
	return work, flotilla.Never
}
