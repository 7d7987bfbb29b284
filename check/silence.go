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

// Asked is what somebody asked of one group. Who may be one client, or all together.
type Asked struct {
	Who   int
	Group int
	Need  Need
}

// Silence measures for how long there was no answer to what was asked: from the beginning of an
// operation without one, or the answer before if that came later, to the next answer. While
// nobody asks, nobody is silent. All times are on one clock.
type Silence struct {
	// Idle is for how long nobody may ask and a silence still go on: two failures with nothing
	// asked in between do not show that there was no service all the while.
	Idle  time.Duration
	asked map[Asked]*quiet
}

// quiet is how one kind of question stands.
type quiet struct {
	answered     time.Duration // the last time
	isOpen       bool          // there was a failure since
	since, until time.Duration // of the failures since
}

// Heard notes what became of an operation at its end, and returns for how long there had been
// no answer then, and since when.
func (s *Silence) Heard(a Asked, isAnswered bool, begin, end time.Duration) (long, since time.Duration) {
	if s.asked == nil {
		s.asked = map[Asked]*quiet{}
	}
	q := s.asked[a]
	if q == nil {
		q = &quiet{}
		s.asked[a] = q
	}
	begin = max(begin, q.answered)
	if !q.isOpen || begin-q.until > s.Idle {
		q.since = begin
	}
	q.since, q.until, q.isOpen = min(q.since, begin), end, !isAnswered
	if isAnswered {
		q.answered = end
	}
	return end - q.since, q.since
}

// Knows reports whether anything of that kind was heard before.
func (s *Silence) Knows(a Asked) bool { return s.asked[a] != nil }
