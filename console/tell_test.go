package console

import (
	"strings"
	"testing"

	"flotilla"
	"flotilla/cluster"
)

// TestEveryNoteIsTold: in words, not by the name of its kind, with why and with what follows.
func TestEveryNoteIsTold(t *testing.T) {
	kinds := []cluster.NoteKind{cluster.NoteStarted, cluster.NoteStopping, cluster.NoteFault, cluster.NoteSilent, cluster.NoteHeard, cluster.NoteRelay,
		cluster.NoteNoRoom, cluster.NoteHasRoom, cluster.NoteRole, cluster.NoteVoteAsked, cluster.NoteVoteGiven, cluster.NoteVoteRefused, cluster.NoteTrialAsked,
		cluster.NoteTrialGiven, cluster.NoteTrialRefused, cluster.NoteHandOver, cluster.NoteMembers, cluster.NoteNewCopy, cluster.NoteSnapshotSent,
		cluster.NoteSnapshotDone, cluster.NoteSnapshotFailed, cluster.NoteSnapshotInstalled, cluster.NoteTaken, cluster.NoteForwarded, cluster.NoteAnswered,
		cluster.NoteProposed, cluster.NoteSent, cluster.NoteReceived, cluster.NoteSynced, cluster.NoteAcknowledged, cluster.NoteCounted, cluster.NoteCommitted,
		cluster.NoteApplied, noteProcess}
	said := map[string]cluster.NoteKind{}
	for _, kind := range kinds {
		told := Tell(cluster.Note{Kind: kind, Node: 1, Peer: 2, Group: 3, Term: 4, Index: 5, Value: 6})
		if told.What == "" || strings.HasSuffix(told.What, ": "+string(kind)) {
			t.Errorf("%s is told as %q", kind, told.What)
		}
		for _, value := range []int64{0, 6} {
			if told := Tell(cluster.Note{Kind: kind, Node: 1, Peer: 2, Group: 3, Term: 4, Index: 5, Value: value}); told.Why == "" || told.Next == "" {
				t.Errorf("%s has no reason, or nothing follows: %+v", kind, told)
			}
		}
		if other, isSaid := said[told.What]; isSaid {
			t.Errorf("%s and %s are told alike: %q", kind, other, told.What)
		}
		said[told.What] = kind
	}
	if told := Tell(cluster.Note{Kind: cluster.NoteRole, Word: "follower", Node: 3, Group: 1, Term: 3}); strings.Contains(told.What, "follows n") {
		t.Errorf("a follower without a leader: %q", told.What)
	}
}

// TestRefusalsAreTold: why a vote was refused is a sentence of its own, and names who and what it is about.
func TestRefusalsAreTold(t *testing.T) {
	for _, c := range []struct {
		note cluster.Note
		why  string
	}{
		{cluster.Note{Word: cluster.RefusedTerm, Term: 7}, "it knows of a newer term, 7"},
		{cluster.Note{Word: cluster.RefusedVoted, Value: 3}, "it has given its vote of this term to n3"},
		{cluster.Note{Word: cluster.RefusedVoted, Value: 1}, "it has given its vote of this term to itself"},
		{cluster.Note{Word: cluster.RefusedLeader, Value: 3}, "this term has a leader already, n3"},
		{cluster.Note{Word: cluster.RefusedLog, Index: 12}, "its log, which ends at entry 12, has entries that the other one lacks"},
	} {
		for _, kind := range []cluster.NoteKind{cluster.NoteVoteRefused, cluster.NoteTrialRefused} {
			c.note.Kind, c.note.Node, c.note.Peer = kind, 1, 2
			if told := Tell(c.note); told.Why != c.why {
				t.Errorf("%s, %s: told as %q, want %q", kind, c.note.Word, told.Why, c.why)
			}
		}
	}
}

// TestFaultsAreTold: each word that a node notes of a lab has a sentence of its own.
func TestFaultsAreTold(t *testing.T) {
	said := map[string]string{}
	for _, c := range []struct {
		word  string
		value int64
	}{{"cut", 0}, {"healed", 0}, {"slow", 20}, {"clock", 20}, {"disk", 20}, {"disk", 0}} {
		told := Tell(cluster.Note{Kind: cluster.NoteFault, Node: 1, Peer: 2, Word: c.word, Value: c.value})
		if other, isSaid := said[told.What]; isSaid || told.Next == "" {
			t.Errorf("%s %d is told as %s is: %+v", c.word, c.value, other, told)
		}
		said[told.What] = c.word
	}
}

// TestSlowDisksAreForeseen: what a slow disk does depends on whether the node leads, and
// on whether it is slow enough to give way or to be taken for dead.
func TestSlowDisksAreForeseen(t *testing.T) {
	for _, c := range []struct {
		ask  FaultAsk
		says string
	}{
		{FaultAsk{Verb: "slow-disk", Node: 1, Delay: 100}, "gives way to one of them"},
		{FaultAsk{Verb: "slow-disk", Node: 1, Delay: 20}, "keeps what it leads"},
		{FaultAsk{Verb: "slow-disk", Node: 2, Delay: 100}, "a majority does without it"},
		{FaultAsk{Verb: "slow-disk", Node: 1, Delay: 1000}, "take it for dead"},
	} {
		if e := Expect(c.ask, three()); !strings.Contains(e.Says, c.says) || len(e.Loses) > 0 {
			t.Errorf("%+v: %+v", c.ask, e)
		}
	}
}

// three is a cluster of three nodes that is well; n1 leads.
func three() Picture {
	p := Picture{Groups: []GroupPicture{{Group: 1, Leader: 1, Copies: []CopyPicture{{Node: 1, Role: "leader"}, {Node: 2, Role: "follower"}, {Node: 3, Role: "follower"}}}}}
	for _, c := range p.Groups[0].Copies {
		p.Nodes = append(p.Nodes, NodePicture{Node: c.Node, State: "up"})
	}
	return p
}

// TestLossOfMajorityIsForeseen: by deaths and by cuts, but not where a third node can
// pass messages on, and not again where it is lost already.
func TestLossOfMajorityIsForeseen(t *testing.T) {
	down := three()
	down.Nodes[1].State = "down"
	gone := three()
	gone.Nodes[1].State, gone.Nodes[2].State = "paused", "silent"
	for _, c := range []struct {
		what  string
		ask   FaultAsk
		p     Picture
		loses bool
	}{
		{"the first death", FaultAsk{Verb: "kill", Node: 1}, three(), false},
		{"the second", FaultAsk{Verb: "kill", Node: 1}, down, true},
		{"of the one that is dead", FaultAsk{Verb: "kill", Node: 2}, down, false},
		{"a pause", FaultAsk{Verb: "pause", Node: 3}, down, true},
		{"a wiped disk", FaultAsk{Verb: "wipe", Node: 3}, down, true},
		{"cut off", FaultAsk{Verb: "isolate", Node: 3}, three(), false},
		{"cut off, of two", FaultAsk{Verb: "isolate", Node: 3}, down, true},
		{"a cut link that can be gone around", FaultAsk{Verb: "cut", Node: 1, To: 3}, three(), false},
		{"a cut link that can not", FaultAsk{Verb: "cut", Node: 1, To: 3, IsOneWay: true}, down, true},
		{"lost already", FaultAsk{Verb: "kill", Node: 1}, gone, false},
		{"mending", FaultAsk{Verb: "heal"}, down, false},
	} {
		e := Expect(c.ask, c.p)
		if (len(e.Loses) > 0) != c.loses || e.Says == "" || strings.Contains(e.Says, "no fault that is known") {
			t.Errorf("%s: %+v", c.what, e)
		}
	}
}

// TestWhatWasSeen: how long a group had no leader, and that another never lost its own.
func TestWhatWasSeen(t *testing.T) {
	p := three()
	p.Groups = append(p.Groups, GroupPicture{Group: 2, Leader: 2, Term: 7}, GroupPicture{Group: 3})
	p.Groups[0].Leader, p.Groups[0].Term = 3, 5
	notes := []cluster.Note{
		{Kind: cluster.NoteRole, Group: 1, Node: 1, Word: "leader", Term: 4, Stamp: 500_000},
		{Kind: cluster.NoteRole, Group: 1, Node: 3, Word: "candidate", Term: 5, Stamp: 1_800_000},
		{Kind: cluster.NoteRole, Group: 1, Node: 3, Word: "leader", Term: 5, Stamp: 1_900_000},
	}
	s := See(notes, 1_000_000, 3_000_000, p)
	want := "g1: n3 leads term 5, 0.90 s after the fault\ng2: n2 led all the time, in term 7\ng3 has no leader, for up to 2.0 s now: its writes wait or are refused"
	if got := strings.Join(s.Lines, "\n"); got != want || s.IsCalm {
		t.Errorf("%s\nwant\n%s", got, want)
	}

	// The lead went on to another: what counts is when there was one again.
	notes = append(notes, cluster.Note{Kind: cluster.NoteRole, Group: 1, Node: 2, Word: "leader", Term: 6, Stamp: 9_000_000})
	p.Groups[0].Leader, p.Groups[0].Term = 2, 6
	want = "g1: n3 led term 5, 0.90 s after the fault; now n2 leads term 6"
	if got := See(notes, 1_000_000, 10_000_000, p).Lines[0]; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	p.Groups = append(p.Groups, GroupPicture{Group: 4, Leader: 1}, GroupPicture{Group: 5, Leader: 1})
	want = "4 of 5 groups have a leader; of those that had to elect one, the last had it 0.90 s after the fault"
	if got := See(notes, 1_000_000, 10_000_000, p).Lines; got[0] != want || !strings.HasPrefix(got[1], "g3 has no leader") {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestWhoLosesTheMajorityElectsNobody: what is said of an election is of groups that can hold one.
func TestWhoLosesTheMajorityElectsNobody(t *testing.T) {
	p := three()
	p.Nodes[1].State = "down"
	for _, node := range []flotilla.NodeID{1, 3} {
		e := Expect(FaultAsk{Verb: "kill", Node: node}, p)
		if len(e.Loses) == 0 || strings.Contains(e.Says, "elect another leader") || strings.Contains(e.Says, "nobody will notice") {
			t.Errorf("%v: %+v", node, e)
		}
	}
}

// TestThePagesOwnSilenceIsForeseen: of what stops the node that the page came from, and of no other.
func TestThePagesOwnSilenceIsForeseen(t *testing.T) {
	p := three()
	p.Self = 2
	for _, c := range []struct {
		ask    FaultAsk
		silent bool
	}{
		{FaultAsk{Verb: "kill", Node: 2}, true},
		{FaultAsk{Verb: "pause", Node: 2}, true},
		{FaultAsk{Verb: "restart", Node: 2}, true},
		{FaultAsk{Verb: "wipe", Node: 2}, true},
		{FaultAsk{Verb: "kill", Node: 1}, false},
		{FaultAsk{Verb: "isolate", Node: 2}, false}, // clients still reach it
	} {
		if e := Expect(c.ask, p); strings.Contains(e.Says, "goes silent until n2 is back") != c.silent {
			t.Errorf("%+v: %s", c.ask, e.Says)
		}
	}
}
