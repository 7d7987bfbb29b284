package sim

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// TestNoteNeverPrecedesItsCause: under all that a plan does to nodes, links and clocks,
// what journals say in order of their stamps has each effect after its causes.
func TestNoteNeverPrecedesItsCause(t *testing.T) {
	kinds, refused := map[cluster.NoteKind]int{}, map[string]int{}
	for seed := *firstSeed; seed < *firstSeed+max(*seedCount, 32); seed++ {
		r := Run(Options{Seed: seed, HasJournals: true, Length: 30 * time.Second})
		if !r.OK() {
			t.Errorf("seed %d: %v", seed, r.Faults)
		}
		order, votes := causes{seen: map[string]bool{}}, votes{given: map[string]flotilla.NodeID{}}
		for _, n := range r.Notes {
			kinds[n.Kind]++
			if cause := order.missing(n); cause != "" {
				t.Fatalf("seed %d: %+v comes before its cause: %s", seed, n, cause)
			}
			if wrong := votes.wrong(n); wrong != "" {
				t.Fatalf("seed %d: %+v: %s", seed, n, wrong)
			}
			if n.Kind == cluster.NoteVoteRefused || n.Kind == cluster.NoteTrialRefused {
				refused[n.Word]++
			}
		}
	}
	for _, kind := range []cluster.NoteKind{cluster.NoteStarted, cluster.NoteSilent, cluster.NoteHeard, cluster.NoteRelay, cluster.NoteRole,
		cluster.NoteVoteAsked, cluster.NoteVoteGiven, cluster.NoteVoteRefused, cluster.NoteTrialAsked, cluster.NoteTrialGiven,
		cluster.NoteTrialRefused, cluster.NoteHandOver, cluster.NoteMembers, cluster.NoteNewCopy, cluster.NoteSnapshotSent,
		cluster.NoteSnapshotDone, cluster.NoteSnapshotInstalled, cluster.NoteProposed, cluster.NoteSent, cluster.NoteReceived,
		cluster.NoteSynced, cluster.NoteAcknowledged, cluster.NoteCounted, cluster.NoteCommitted, cluster.NoteApplied} {
		if kinds[kind] == 0 {
			t.Errorf("nothing was %q: the test does not see it", kind)
		}
	}
	for _, why := range []string{cluster.RefusedTerm, cluster.RefusedVoted, cluster.RefusedLog} {
		if refused[why] == 0 {
			t.Errorf("no vote was refused because of %q: the test does not see it", why)
		}
	}
	t.Log(kinds, refused)
}

// votes knows who voted for whom in which term.
type votes struct{ given map[string]flotilla.NodeID }

// wrong takes a note, and says what is not true of the reason for a refused vote.
func (v *votes) wrong(n cluster.Note) string {
	key := fmt.Sprint(n.Node, n.Group, n.Term)
	switch {
	case n.Kind == cluster.NoteVoteGiven:
		v.given[key] = n.Peer
	case n.Kind == cluster.NoteVoteAsked:
		v.given[key] = n.Node
	case n.Kind != cluster.NoteVoteRefused && n.Kind != cluster.NoteTrialRefused:
	case n.Word == "":
		return "no reason is told"
	case n.Word == cluster.RefusedVoted:
		if to, isKnown := v.given[key]; n.Value == 0 || isKnown && to != flotilla.NodeID(n.Value) {
			return fmt.Sprintf("the vote was given to %v", to)
		}
	}
	return ""
}

// causes knows which notes have come.
type causes struct{ seen map[string]bool }

func key(kind cluster.NoteKind, by, about flotilla.NodeID, n cluster.Note) string {
	return fmt.Sprint(kind, by, about, n.Group, n.Term, n.Index)
}

// missing takes a note, and returns which of its causes has not come yet.
func (c *causes) missing(n cluster.Note) string {
	ballot := cluster.Note{Group: n.Group, Term: n.Term}
	var want string
	switch n.Kind {
	case cluster.NoteVoteAsked, cluster.NoteTrialAsked:
		c.seen[key(n.Kind, n.Node, n.Peer, ballot)] = true
	case cluster.NoteVoteGiven:
		want = key(cluster.NoteVoteAsked, n.Peer, n.Node, ballot)
		c.seen[key(n.Kind, 0, n.Peer, ballot)] = true
	case cluster.NoteTrialGiven:
		want = key(cluster.NoteTrialAsked, n.Peer, n.Node, ballot)
	case cluster.NoteRole:
		if n.Word == "leader" {
			want = key(cluster.NoteVoteGiven, 0, n.Node, ballot)
		}
	case cluster.NoteSnapshotInstalled:
		want = key(cluster.NoteSnapshotSent, 0, n.Node, cluster.Note{Group: n.Group, Index: n.Index})
	case cluster.NoteSnapshotSent:
		c.seen[key(n.Kind, 0, n.Peer, cluster.Note{Group: n.Group, Index: n.Index})] = true
	case cluster.NoteSent:
		if !c.seen[key(cluster.NoteProposed, n.Node, 0, n)] { // an entry of the leader before
			want = key(cluster.NoteReceived, n.Node, 0, n)
		}
		c.seen[key(n.Kind, n.Node, n.Peer, n)] = true
		c.seen[key(n.Kind, 0, n.Peer, n)] = true
	case cluster.NoteReceived:
		want = key(cluster.NoteSent, 0, n.Node, n)
	case cluster.NoteSynced:
		if !c.seen[key(cluster.NoteProposed, n.Node, 0, n)] {
			want = key(cluster.NoteReceived, n.Node, 0, n)
		}
	case cluster.NoteAcknowledged:
		want = key(cluster.NoteSynced, n.Node, 0, n)
	case cluster.NoteCounted:
		want = key(cluster.NoteSent, n.Node, n.Peer, n)
	case cluster.NoteCommitted:
		if !c.seen[key(cluster.NoteProposed, n.Node, 0, n)] {
			want = key(cluster.NoteReceived, n.Node, 0, n)
		}
	case cluster.NoteApplied:
		want = key(cluster.NoteCommitted, n.Node, 0, n)
	}
	c.seen[key(n.Kind, n.Node, 0, n)] = true
	if want == "" || c.seen[want] {
		return ""
	}
	return want
}

// TestJournalChangesNothing: with journals or without, the same seed is the same life.
func TestJournalChangesNothing(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seedCount; seed++ {
		without, with := Run(Options{Seed: seed, Length: 20 * time.Second}), Run(Options{Seed: seed, Length: 20 * time.Second, HasJournals: true})
		if !maps.Equal(without.Counts, with.Counts) {
			t.Errorf("seed %d: without journals %v\nwith %v", seed, without.Counts, with.Counts)
		}
	}
}
