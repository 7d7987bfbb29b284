package check

import "time"

// Need is what must be there for an answer. A group may lose the one and have the other, so
// that an answer ends only the silence of its own kind.
type Need string

// The needs.
const (
	Changing     Need = "change"            // a majority that takes entries, and disks with room
	FreshReading Need = "linearizable read" // a leader that a majority follows
	WeakReading  Need = "weak read"         // often no more than a copy
)

// Need returns what the operation needs for an answer.
func (o Operation) Need() Need {
	switch {
	case !o.IsRead():
		return Changing
	case o.Level == LevelLinearizable:
		return FreshReading
	}
	return WeakReading
}

// Asked is what somebody asked of one group. Who may be one client, or several together, such as
// those of a node.
type Asked struct {
	Who   int
	Group int
	Need  Need
}

// Silence measures for how long there was no answer to what was asked: from the beginning of an
// operation without one, or the answer before if that came later, to the next answer. While
// nobody asks, nobody is silent. All times are on one clock.
//
// A service that hangs keeps its clients from asking: each question takes them as long as they are
// patient, and there are many kinds. So it is measured in two ways: for each kind of
// question, where waiting in vain for an answer of another kind is not the same as asking nothing; and over
// all that somebody asked, where any answer will do.
type Silence struct {
	// Idle is for how long somebody may be free to ask, and nobody ask, and a silence still go on: two
	// failures with nothing asked in between do not show that there was no service all the while.
	Idle  time.Duration
	asked map[Asked]*quiet
	all   map[int]*quiet         // by Who
	vain  map[int]map[int][]span // by Who, and client: when it waited in vain, in order
}

// Lull is a time without an answer.
type Lull struct{ Long, Since time.Duration }

// quiet is how one kind of question stands.
type quiet struct {
	answered     time.Duration // the last time
	isOpen       bool          // there was a failure since
	since, until time.Duration // of the failures since
}

// span is a time from one moment to another.
type span struct{ from, to time.Duration }

// Heard notes what became of an operation at its end, and returns for how long there had been
// no answer then to what is of its kind, and to anything that was asked. A client asks
// one thing after the other, or several at once.
func (s *Silence) Heard(client int, a Asked, isAnswered bool, begin, end time.Duration) (ofKind, ofAll Lull) {
	if s.asked == nil {
		s.asked, s.all, s.vain = map[Asked]*quiet{}, map[int]*quiet{}, map[int]map[int][]span{}
	}
	if s.asked[a] == nil {
		s.asked[a] = &quiet{}
	}
	if s.all[a.Who] == nil {
		s.all[a.Who], s.vain[a.Who] = &quiet{}, map[int][]span{}
	}
	isIdle := func(from, to time.Duration) bool {
		return to-from > s.Idle && to-from-s.held(a.Who, span{from, to}) > s.Idle
	}
	ofKind = s.asked[a].heard(isAnswered, begin, end, isIdle)
	ofAll = s.all[a.Who].heard(isAnswered, begin, end, isIdle)
	spans := s.vain[a.Who][client]
	if last := len(spans) - 1; !isAnswered && (last < 0 || spans[last].to < end) {
		spans = append(spans, span{begin, end})
	}
	s.vain[a.Who][client] = spans // of one that was always answered, too: it could have asked
	return ofKind, ofAll
}

// heard notes what became of one more question. isIdle reports whether too little was asked between two times.
func (q *quiet) heard(isAnswered bool, begin, end time.Duration, isIdle func(from, to time.Duration) bool) Lull {
	begin = max(begin, q.answered)
	if !q.isOpen || isIdle(q.until, begin) {
		q.since = begin
	}
	q.since, q.until, q.isOpen = min(q.since, begin), end, !isAnswered
	if isAnswered {
		q.answered = end
	}
	return Lull{end - q.since, q.since}
}

// held returns for how long, within a time, each client waited in vain, so that none was free to
// ask for anything else.
func (s *Silence) held(who int, within span) (long time.Duration) {
	all := []span{within}
	for _, spans := range s.vain[who] {
		all = common(all, spans)
	}
	for _, x := range all {
		long += x.to - x.from
	}
	return long
}

// common returns the times that are in both lists. Both are in order, and what is wanted is at the end of
// the second.
func common(some, spans []span) (both []span) {
	for _, x := range some {
		first := len(spans)
		for first > 0 && spans[first-1].to > x.from {
			first--
		}
		for _, y := range spans[first:] {
			if z := (span{max(x.from, y.from), min(x.to, y.to)}); z.from < z.to {
				both = append(both, z)
			}
		}
	}
	return both
}

// Knows reports whether anything of that kind was heard before.
func (s *Silence) Knows(a Asked) bool { return s.asked[a] != nil }
