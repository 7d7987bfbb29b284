package consensus

import (
	"bytes"
	"encoding/binary"

	"flotilla"
)

// Sessions are replicated state: who sent which parcels lately, and what they
// were answered. They are kept decoded in memory too; the state is the truth.
//
//	key 0x00 's' id:8BE -> version u8 | origin, low uvarint | last i64 |
//	                       (first, count uvarint, replies length uvarint, bytes)...
//
// Source: Ongaro, "Consensus: Bridging Theory and Practice", section 6.3.
const (
	// SessionMillis is how long, in the log's time, a session lives without a parcel.
	SessionMillis flotilla.Millis = 3_600_000
	// MaxSessions is how many sessions a group holds; opening one more ends the
	// one that was silent for longest.
	MaxSessions = 4096

	sessionVersion  = 1
	sweepEachMillis = 60_000
)

var (
	sessionPrefix = []byte{0, 's'}
	sessionEnd    = []byte{0, 's' + 1}
)

// session is one origin's standing with a group.
type session struct {
	id      uint64
	origin  flotilla.NodeID
	low     uint64
	last    flotilla.Millis
	applied []appliedParcel // not below low, in the order in which they were applied
	isDirty bool
}

type appliedParcel struct {
	first   uint64
	count   uint64
	replies []byte
}

// find returns the parcel that begins with first, or nil.
func (s *session) find(first uint64) *appliedParcel {
	for i := range s.applied {
		if s.applied[i].first == first {
			return &s.applied[i]
		}
	}
	return nil
}

// forget drops what lies below low.
func (s *session) forget(low uint64) {
	if low <= s.low {
		return
	}
	s.low = low
	kept := s.applied[:0]
	for _, p := range s.applied {
		if p.first >= low {
			kept = append(kept, p)
		}
	}
	clear(s.applied[len(kept):])
	s.applied = kept
}

// sessions are all of a group's.
type sessions struct {
	byID  map[uint64]*session
	dirty []*session // touched by the entry at hand
	key   []byte     // scratch
	value []byte     // scratch
}

// loadSessions reads all sessions from the state.
func loadSessions(r flotilla.Reader) (*sessions, error) {
	all := &sessions{byID: map[uint64]*session{}}
	for k, v := range r.Scan(sessionPrefix, sessionEnd) {
		s, err := decodeSession(k, v)
		if err != nil {
			return nil, err
		}
		all.byID[s.id] = s
	}
	return all, nil
}

// open starts a session, or returns the one that the entry's place already names.
func (a *sessions) open(state flotilla.State, id uint64, origin flotilla.NodeID, now flotilla.Millis) *session {
	if len(a.byID) >= MaxSessions {
		a.end(state, a.oldest())
	}
	s := &session{id: id, origin: origin, last: now, low: 1}
	a.byID[id] = s
	a.touch(s, now)
	return s
}

// oldest returns the session that was silent for longest; of several the one
// with the lowest number, so that every replica picks the same.
func (a *sessions) oldest() *session {
	var found *session
	for _, s := range a.byID {
		if found == nil || s.last < found.last || s.last == found.last && s.id < found.id {
			found = s
		}
	}
	return found
}

func (a *sessions) touch(s *session, now flotilla.Millis) {
	s.last = now
	if !s.isDirty {
		s.isDirty = true
		a.dirty = append(a.dirty, s)
	}
}

func (a *sessions) end(state flotilla.State, s *session) {
	delete(a.byID, s.id)
	a.key = appendSessionKey(a.key[:0], s.id)
	state.Delete(a.key)
}

// sweep ends the sessions that were silent for too long.
func (a *sessions) sweep(state flotilla.State, now flotilla.Millis) {
	for _, s := range a.byID {
		if now-s.last > SessionMillis && !s.isDirty {
			a.end(state, s)
		}
	}
}

// save writes the sessions that the entry touched.
func (a *sessions) save(state flotilla.State) {
	for _, s := range a.dirty {
		s.isDirty = false
		if a.byID[s.id] != s {
			continue // ended meanwhile
		}
		a.key = appendSessionKey(a.key[:0], s.id)
		a.value = s.append(a.value[:0])
		state.Set(a.key, a.value)
	}
	clear(a.dirty)
	a.dirty = a.dirty[:0]
}

func appendSessionKey(b []byte, id uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, sessionPrefix...), id)
}

func (s *session) append(b []byte) []byte {
	b = append(b, sessionVersion)
	b = binary.AppendUvarint(b, uint64(s.origin))
	b = binary.AppendUvarint(b, s.low)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.last))
	for _, p := range s.applied {
		b = binary.AppendUvarint(b, p.first)
		b = binary.AppendUvarint(b, p.count)
		b = appendBytes(b, p.replies)
	}
	return b
}

func decodeSession(key, value []byte) (*session, error) {
	if len(key) != len(sessionPrefix)+8 || len(value) == 0 || value[0] != sessionVersion {
		return nil, errShort
	}
	r := reader{rest: value[1:]}
	s := &session{id: binary.BigEndian.Uint64(key[len(sessionPrefix):]),
		origin: flotilla.NodeID(r.uvarint()), low: r.uvarint()}
	if r.err != nil || len(r.rest) < 8 {
		return nil, errShort
	}
	s.last = flotilla.Millis(binary.LittleEndian.Uint64(r.rest))
	r.rest = r.rest[8:]
	for len(r.rest) > 0 && r.err == nil {
		s.applied = append(s.applied, appliedParcel{first: r.uvarint(), count: r.uvarint(), replies: bytes.Clone(r.bytes())})
	}
	return s, r.err
}
