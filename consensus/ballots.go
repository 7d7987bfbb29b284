package consensus

import "flotilla"

// Ballots tells which appends to a disk make a new term or vote durable: Raft stores a HardState
// also where nothing but the commit index moved.
type Ballots struct {
	disk  Disk
	known map[flotilla.GroupID]ballot // that are durable
}

// ballot is whom a replica voted for in which term.
type ballot struct{ term, vote uint64 }

// NewBallots is of a disk that was just opened.
func NewBallots(d Disk) *Ballots {
	return &Ballots{disk: d, known: map[flotilla.GroupID]ballot{}}
}

// stored is what the disk has of a group.
func (b *Ballots) stored(group flotilla.GroupID) ballot {
	hard, _, err := b.disk.Log(group).InitialState()
	if err != nil || hard == nil {
		return ballot{}
	}
	return ballot{hard.GetTerm(), hard.GetVote()}
}

// Changed reports whether writes that are about to be appended make a new term or vote durable.
func (b *Ballots) Changed(writes []Write) (isNew bool) {
	for _, w := range writes {
		if w.HardState == nil {
			continue
		}
		before, isKnown := b.known[w.Group]
		if !isKnown {
			before = b.stored(w.Group)
		}
		now := ballot{w.HardState.GetTerm(), w.HardState.GetVote()}
		isNew = isNew || before != now
		b.known[w.Group] = now
	}
	return isNew
}
