package queue

import "flotilla"

// What happens to messages by themselves: leases that run out, messages that die, become
// too old or are moved. Each is told to whoever holds a copy of the group, as an event
// that changes nothing; what clients do with messages is noted by them (client_life.go).

// EventLife tells of a message: the event's Key is its queue, its Body a happening.
const EventLife = "life"

// Kind says what happened to a job.
type Kind byte

// The kinds. Those of clients say what was asked for; Happening.Code, how it was refused.
const (
	KindSent       Kind = 's'
	KindRepeated   Kind = 'r' // sent again, and recognized: nothing was added
	KindLeased     Kind = 'l'
	KindExtended   Kind = 'e'
	KindProgressed Kind = 'g'
	KindReleased   Kind = 'b'
	KindFinished   Kind = 'f'
	KindFailed     Kind = 'n' // finished as a failure: nobody shall try again
	KindPurged     Kind = 'p' // with all messages of the queue
	KindLapsed     Kind = 'o' // the machine's: nobody ended the lease in time
	KindDead       Kind = 'd' // the machine's: it went to the queue for dead messages
	KindMoved      Kind = 'm' // the machine's: a move task took it elsewhere, with another id
	KindExpired    Kind = 'x' // the machine's: nobody did it in time
	KindArrived    Kind = 'a' // the machine's: it came from another queue, dead or moved
)

// kindNames are the words for kinds, as JSON has them.
var kindNames = map[Kind]string{KindSent: "sent", KindRepeated: "repeated", KindLeased: "leased", KindExtended: "extended",
	KindProgressed: "progressed", KindReleased: "released", KindFinished: "finished", KindFailed: "failed", KindPurged: "purged",
	KindLapsed: "lapsed", KindDead: "dead", KindMoved: "moved", KindExpired: "expired", KindArrived: "arrived"}

// String returns the kind's word.
func (k Kind) String() string { return kindNames[k] }

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. A word that is unknown, of a newer
// node perhaps, is no kind.
func (k *Kind) UnmarshalText(text []byte) error {
	*k = 0
	for kind, name := range kindNames {
		if name == string(text) {
			*k = kind
		}
	}
	return nil
}

// IsOfMachine reports whether it happens by itself.
func (k Kind) IsOfMachine() bool {
	return k == KindLapsed || k == KindDead || k == KindMoved || k == KindExpired || k == KindArrived
}

// spot is where a message is in its queue: what its receipt handles name. Place is its
// number, with its partition above it.
type spot struct{ gen, place uint64 }

// happening is what the machine tells of a message.
type happening struct {
	kind  Kind
	at    flotilla.Millis
	id    string
	spot  spot
	token uint64 // of its last lease; 0: it had none
	to    string // the queue that it went to, or that it came from as a dead one
}

func (h *happening) fields(c *coder) {
	kind := uint64(h.kind)
	c.num(&kind)
	h.kind = Kind(kind)
	c.millis(&h.at)
	c.text(&h.id)
	c.num(&h.spot.gen)
	c.num(&h.spot.place)
	c.num(&h.token)
	c.text(&h.to)
}

// happened tells of a message that is, or just was, in a queue.
func (e *entry) happened(q *queue, number uint64, m *body, kind Kind, token uint64, to string) {
	if e.tx == nil || e.tx.Emit == nil {
		return
	}
	h := &happening{kind: kind, at: e.now, id: q.idOf(number, m), spot: spot{q.gen, number | q.index<<numberBits}, token: token, to: to}
	base, _ := baseOf(q.queueRecord.name)
	e.tx.Emit(flotilla.Event{System: flotilla.SystemQueue, Group: e.tx.Group, Index: e.tx.Index,
		Name: EventLife, Key: []byte(base), Body: encode(nil, h)})
}

// parseSpot returns what a receipt handle says of its message and lease. It asks nobody
// whether the handle is one: what is made of it is told, and nothing else.
func parseSpot(text string) (s spot, token uint64, ok bool) {
	h, index, ok := splitHandle(text)
	if h.number>>numberBits != 0 { // no machine makes one: it would name another partition's message
		return spot{}, 0, false
	}
	return spot{h.gen, h.number | uint64(index)<<numberBits}, h.token, ok
}
