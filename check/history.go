package check

import "slices"

// Kind says what an operation asked for.
type Kind string

// The kinds. A key is a register, a counter, a set or a list, and never two of
// them; Delete empties any. Every key is empty when the history begins.
const (
	// Read returns a register's Value; none if Found is false.
	Read Kind = "read"
	// Write stores Value in a register.
	Write Kind = "write"
	// Delete empties a key; Changed says whether anything was there.
	Delete Kind = "delete"
	// Expire empties a register that holds Value, and no other. Nobody asks for it: it
	// is what a store does once Value has lived as long as it should. Who writes
	// the history down gives it the earliest time at which it may happen as Begin, and
	// the outcome Unknown.
	Expire Kind = "expire"
	// CompareAndSet stores Value if the register holds Expect; Changed says whether
	// it did. One that did not says nothing about the register: WATCH and
	// EXEC also give up when a value was changed and changed back.
	CompareAndSet Kind = "compare-and-set"
	// Add adds Number to a counter and returns Total.
	Add Kind = "add"
	// Count returns a counter's Total.
	Count Kind = "count"
	// Insert puts Value into a set; Changed says whether it is new there.
	Insert Kind = "insert"
	// Remove takes Value out of a set; Changed says whether it was there.
	Remove Kind = "remove"
	// Members returns all Values of a set.
	Members Kind = "members"
	// PushLeft puts Value at the head of a list and returns its length as Total.
	PushLeft Kind = "push-left"
	// PushRight puts Value at the tail of a list and returns its length as Total.
	PushRight Kind = "push-right"
	// PopLeft takes the head of a list and returns it as Value; Found is false if
	// the list was empty.
	PopLeft Kind = "pop-left"
	// PopRight takes the tail of a list, as PopLeft the head.
	PopRight Kind = "pop-right"
	// Range returns the Values of a list between From and To, both included and
	// counted as LRANGE counts: 0 is the head, -1 the tail.
	Range Kind = "range"
	// Length returns a list's length as Total.
	Length Kind = "length"
	// Transaction carries out its Parts in one atomic step, if all Guards hold in
	// that moment; Changed says whether it was carried out. It has no Key.
	Transaction Kind = "transaction"
)

// Outcome says what a client knows of its operation.
type Outcome string

// The outcomes.
const (
	// Known operations were answered.
	Known Outcome = "known"
	// Unknown operations may have happened, may still happen, or may not.
	Unknown Outcome = "unknown"
	// Refused operations certainly did not happen and never will.
	Refused Outcome = "refused"
)

// Level says how fresh a read had to be. The zero value is the strongest.
type Level uint8

// The levels, from the strongest. A change has none: it is linearizable.
const (
	// LevelLinearizable sees all that was acknowledged before the read began.
	LevelLinearizable Level = iota
	// LevelSession sees no less than its Client has seen or changed before.
	LevelSession
	// LevelBounded sees what was current at some time since Age before the read began.
	LevelBounded
	// LevelEventual sees what was current at any time until the read's end.
	LevelEventual
)

// String returns the level's name.
func (l Level) String() string {
	return [...]string{"linearizable", "session", "bounded", "eventual"}[l]
}

// Operation is what one client asked of one key (or, in a transaction, of
// several), and what came of it.
type Operation struct {
	// Client is also the session: whoever begins a new session is a new Client.
	Client int
	Key    string
	Kind   Kind
	Level  Level // reads only, and transactions that do nothing but read
	// Age is for LevelBounded, in nanoseconds: what was asked for, and what the
	// caller grants on top of it for coarse or drifting clocks.
	Age int64

	// Value is what was asked to be stored, or what was read. Many checks are
	// sharper where no two operations store the same Value in one key.
	Value    string
	Expect   string // CompareAndSet
	Number   int64  // Add
	From, To int64  // Range
	// Parts are a transaction's; of each only what was asked and what was
	// answered counts: the client, the outcome and the times are the transaction's.
	Parts []Operation
	// Guards are reads of watched keys with the answers that they had between
	// WATCH and MULTI. A key that was watched and not read needs no guard.
	Guards []Operation

	Outcome Outcome
	Found   bool     // Read, PopLeft, PopRight
	Changed bool     // CompareAndSet, Delete, Insert, Remove, Transaction
	Total   int64    // Add, Count, PushLeft, PushRight, Length
	Values  []string // Members, Range

	Begin int64 // nanoseconds on one clock for all clients
	End   int64 // of no meaning if the outcome is Unknown
}

// IsRead reports whether the operation changes nothing.
func (o Operation) IsRead() bool {
	switch o.Kind {
	case Read, Count, Members, Range, Length:
		return true
	case Transaction:
		return len(o.Guards) == 0 && !slices.ContainsFunc(o.Parts, func(p Operation) bool { return !p.IsRead() })
	}
	return false
}

// isWeakRead reports whether the operation is a read that may see an older state.
func (o Operation) isWeakRead() bool { return o.Level != LevelLinearizable && o.IsRead() }

// stores reports whether the operation puts its Value into its key.
func (o Operation) stores() bool {
	switch o.Kind {
	case Write, CompareAndSet, Insert, PushLeft, PushRight:
		return true
	}
	return false
}

// isWhole reports whether a Range is of the whole list.
func (o Operation) isWhole() bool { return o.From == 0 && o.To == -1 }

// isAborted reports whether a condition kept the operation from happening. Such a
// one says nothing about its keys.
func (o Operation) isAborted() bool {
	return o.Outcome == Known && !o.Changed && (o.Kind == CompareAndSet || o.Kind == Transaction)
}

// parts returns the operations on single keys that the operation consists of,
// guards as reads. They have the client, outcome and times of the whole.
func (o Operation) parts() []Operation {
	if o.Kind != Transaction {
		return []Operation{o}
	}
	all := slices.Concat(o.Guards, o.Parts)
	for i := range all {
		p := &all[i]
		p.Client, p.Outcome, p.Begin, p.End = o.Client, o.Outcome, o.Begin, o.End
		p.Level, p.Age = LevelLinearizable, 0
		if o.IsRead() {
			p.Level, p.Age = o.Level, o.Age
		}
	}
	return all
}

// observed returns the values that an answered operation on one key found there.
func (o Operation) observed() []string {
	switch o.Kind {
	case Read, PopLeft, PopRight:
		if o.Found {
			return []string{o.Value}
		}
	case CompareAndSet:
		return []string{o.Expect}
	case Remove:
		if o.Changed {
			return []string{o.Value}
		}
	case Members, Range:
		return o.Values
	}
	return nil
}

// family is the type that a key must have for an operation.
type family int

const (
	anyFamily family = iota // Delete
	register
	counter
	set
	list
	noFamily // an unknown kind
)

func familyOf(kind Kind) family {
	switch kind {
	case Delete:
		return anyFamily
	case Read, Write, CompareAndSet, Expire:
		return register
	case Add, Count:
		return counter
	case Insert, Remove, Members:
		return set
	case PushLeft, PushRight, PopLeft, PopRight, Range, Length:
		return list
	}
	return noFamily
}
