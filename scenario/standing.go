package scenario

import "flotilla"

// Standing is how a cluster's groups stand at a time, as far as its nodes tell.
type Standing struct {
	Terms  map[flotilla.GroupID]uint64 // the newest that anybody knows of
	copies map[copied]bool
}

// copied is a replica of a group.
type copied struct {
	group   flotilla.GroupID
	replica flotilla.ReplicaID
}

// NewStanding returns one of which nobody has told anything.
func NewStanding() Standing {
	return Standing{Terms: map[flotilla.GroupID]uint64{}, copies: map[copied]bool{}}
}

// Term notes that somebody knows of a group's term.
func (s Standing) Term(group flotilla.GroupID, term uint64) {
	s.Terms[group] = max(s.Terms[group], term)
}

// Copy notes that there is a replica.
func (s Standing) Copy(group flotilla.GroupID, replica flotilla.ReplicaID) {
	s.copies[copied{group, replica}] = true
}

// Since returns how many terms have begun since an earlier time, and how many replicas there are
// that were not there then.
func (s Standing) Since(before Standing) (elections, newCopies int) {
	for group, term := range s.Terms {
		elections += int(max(term, before.Terms[group]) - before.Terms[group])
	}
	for one := range s.copies {
		if !before.copies[one] {
			newCopies++
		}
	}
	return elections, newCopies
}
