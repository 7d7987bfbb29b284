package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
	"flotilla/transport"
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
	}{{"cut", 0}, {"healed", 0}, {"slow", 20}, {"clock", 20000}, {"clock", -20000}, {"clock", 0}, {"drift", 20}, {"drift", -20}, {"drift", 0}, {"disk", 20}, {"disk", 0}} {
		told := Tell(cluster.Note{Kind: cluster.NoteFault, Node: 1, Peer: 2, Word: c.word, Value: c.value})
		if other, isSaid := said[told.What]; isSaid || told.Next == "" {
			t.Errorf("%s %d is told as %s is: %+v", c.word, c.value, other, told)
		}
		said[told.What] = c.word
	}
	for what, word := range map[string]string{"the clocks of n1 were set 20 s ahead": "clock", "the clocks of n1 were set 20 s behind": "clock", "the clocks of n1 were set right": "clock",
		"the clocks of n1 run 20 ppm too slow": "drift"} {
		if said[what] != word {
			t.Errorf("%q is not said: %v", what, said)
		}
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
	p := Picture{Groups: []GroupPicture{{Group: 1, Leader: 1, Slots: 16384, Copies: []CopyPicture{{Node: 1, Role: "leader"}, {Node: 2, Role: "follower"}, {Node: 3, Role: "follower"}}}}}
	for _, c := range p.Groups[0].Copies {
		p.Nodes = append(p.Nodes, NodePicture{Node: c.Node, State: "up"})
	}
	return p
}

// slowed is a cluster where what one node sends, and is sent, is late.
func slowed(p Picture, node flotilla.NodeID, delay flotilla.Millis) Picture {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.Faults = map[flotilla.NodeID]transport.Fault{}
		for _, other := range p.Nodes {
			if other.Node != n.Node && (n.Node == node || other.Node == node) {
				n.Faults[other.Node] = transport.Fault{DelayMillis: delay}
			}
		}
	}
	return p
}

// killed is a cluster of which one node is down.
func killed(p Picture, node flotilla.NodeID) Picture {
	p.Nodes = slices.Clone(p.Nodes)
	p.Nodes[node-1].State = "down"
	return p
}

// TestSlownessThatIsNeededIsTold: where a majority is left that needs a slow node, each write waits for it.
func TestSlownessThatIsNeededIsTold(t *testing.T) {
	disk := three()
	disk.Nodes[0].DiskDelay = 100
	for _, p := range []Picture{slowed(three(), 1, 100), disk} {
		for _, verb := range []supervisor.Verb{supervisor.Kill, supervisor.Restart, supervisor.Pause, supervisor.Isolate, supervisor.Wipe} {
			if e := Expect(FaultAsk{Verb: verb, Node: 3}, p); len(e.Loses) > 0 || !strings.Contains(e.Says, "needs n1, which is slow: each write takes so much longer") || strings.Contains(e.Says, "obody will notice") || strings.Contains(e.Says, "obody should notice") {
				t.Errorf("%s: %+v", verb, e)
			}
			if says := Expect(FaultAsk{Verb: verb, Node: 1}, p).Says; strings.Contains(says, "needs n1") {
				t.Errorf("%s of the slow one: %s", verb, says)
			}
		}
	}
	e := Expect(FaultAsk{Verb: "slow", Node: 3, Delay: 3000}, killed(three(), 2))
	if strings.Contains(e.Says, "each write takes so much longer") || !strings.Contains(e.Says, "take it for dead") {
		t.Errorf("%+v", e)
	}
	e = Expect(FaultAsk{Verb: "slow", Node: 3, Delay: 150}, killed(three(), 2))
	if len(e.Loses) > 0 || !strings.Contains(e.Says, "each write takes so much longer") {
		t.Errorf("%+v", e)
	}
	for _, verb := range []supervisor.Verb{supervisor.Slow, supervisor.SlowDisk} { // nothing is there that could become slower
		gone := killed(killed(three(), 2), 1)
		if e := Expect(FaultAsk{Verb: verb, Node: 3, Delay: 150}, gone); strings.Contains(e.Says, "each write takes so much longer") {
			t.Errorf("%s without a majority: %s", verb, e.Says)
		}
	}
}

// lossyLinks are three nodes with such links from and to n1 that so much is lost.
func lossyLinks(share float64) Picture {
	p := three()
	p.Nodes[0].Faults = map[flotilla.NodeID]transport.Fault{2: {Drop: share}, 3: {Drop: share}}
	return p
}

// TestLossOfMajorityIsForeseen: by deaths and by cuts, by links and disks that are too slow, but not where a
// third node can pass messages on, and not again where it is lost already.
func TestLossOfMajorityIsForeseen(t *testing.T) {
	down := three()
	down.Nodes[1].State = "down"
	gone := three()
	gone.Nodes[1].State, gone.Nodes[2].State = "paused", "silent"
	wiped := three() // n3 is back, without a copy
	wiped.Groups[0].Copies[2].Role = "unknown"
	learning := three()
	learning.Groups[0].Copies[2].Role = "learner"
	starting := three() // of a node that does not answer nothing is known: its copy may well be there
	starting.Nodes[2].State, starting.Groups[0].Copies[2].Role = "starting", "unknown"
	slow, late, full := slowed(three(), 1, 1000), slowed(three(), 1, 250), three()
	full.Nodes[2].DiskDelay = 5000
	halfway := three() // what n1 sends to n2 is late, not what comes back
	halfway.Nodes[0].Faults = map[flotilla.NodeID]transport.Fault{2: {DelayMillis: 500}}
	deaf, lossy := lossyLinks(1), lossyLinks(0.5)
	for _, c := range []struct {
		what  string
		ask   FaultAsk
		p     Picture
		loses bool
	}{
		{"the copy of a wiped disk is not there yet", FaultAsk{Verb: "kill", Node: 2}, wiped, true},
		{"a learner has no vote", FaultAsk{Verb: "kill", Node: 2}, learning, true},
		{"a learner dies", FaultAsk{Verb: "kill", Node: 3}, learning, false},
		{"one that starts may have its copy", FaultAsk{Verb: "kill", Node: 2}, starting, false},
		{"the first death", FaultAsk{Verb: "kill", Node: 1}, three(), false},
		{"the second", FaultAsk{Verb: "kill", Node: 1}, down, true},
		{"of the one that is dead", FaultAsk{Verb: "kill", Node: 2}, down, false},
		{"a restart", FaultAsk{Verb: "restart", Node: 3}, down, true},
		{"a restart while all are there", FaultAsk{Verb: "restart", Node: 3}, three(), false},
		{"the start of the one that is dead", FaultAsk{Verb: "restart", Node: 2}, down, false},
		{"a pause", FaultAsk{Verb: "pause", Node: 3}, down, true},
		{"a wiped disk", FaultAsk{Verb: "wipe", Node: 3}, down, true},
		{"cut off", FaultAsk{Verb: "isolate", Node: 3}, three(), false},
		{"cut off, of two", FaultAsk{Verb: "isolate", Node: 3}, down, true},
		{"a cut link that can be gone around", FaultAsk{Verb: "cut", Node: 1, To: 3}, three(), false},
		{"a cut link that can not", FaultAsk{Verb: "cut", Node: 1, To: 3, IsOneWay: true}, down, true},
		{"lost already", FaultAsk{Verb: "kill", Node: 1}, gone, false},
		{"links that are too slow", FaultAsk{Verb: "slow", Node: 3, Delay: 3000}, three(), false},
		{"links that are too slow, of two", FaultAsk{Verb: "slow", Node: 3, Delay: 3000}, down, true},
		{"links that are too slow there and back, of two", FaultAsk{Verb: "slow", Node: 3, Delay: 300}, down, true},
		{"links that are slow, of two", FaultAsk{Verb: "slow", Node: 3, Delay: 299}, down, false},
		{"links that were too slow already", FaultAsk{Verb: "kill", Node: 3}, slow, true},
		{"the one whose links are too slow dies", FaultAsk{Verb: "kill", Node: 1}, slow, false},
		{"links that are slow already", FaultAsk{Verb: "kill", Node: 3}, late, false},
		{"both ends of a link are slow, and that is too much", FaultAsk{Verb: "slow", Node: 2, Delay: 100}, killed(late, 3), true},
		{"links that become less slow", FaultAsk{Verb: "slow", Node: 1, Delay: 100}, killed(late, 3), false},
		{"one way is late", FaultAsk{Verb: "kill", Node: 3}, halfway, false},
		{"the way back, too", FaultAsk{Verb: "slow", Node: 1, Delay: 100}, killed(halfway, 3), true},
		{"a disk that is too slow", FaultAsk{Verb: "slow-disk", Node: 3, Delay: 5000}, three(), false},
		{"a disk that is too slow, of two", FaultAsk{Verb: "slow-disk", Node: 3, Delay: 600}, down, true},
		{"a disk that is slow, of two", FaultAsk{Verb: "slow-disk", Node: 3, Delay: 599}, down, false},
		{"a disk that was too slow already", FaultAsk{Verb: "kill", Node: 2}, full, true},
		{"links that lose all", FaultAsk{Verb: "kill", Node: 3}, deaf, true},
		{"links that lose half", FaultAsk{Verb: "kill", Node: 3}, lossy, false},
		{"mending", FaultAsk{Verb: "heal"}, down, false},
	} {
		e := Expect(c.ask, c.p)
		if (len(e.Loses) > 0) != c.loses || e.Says == "" || strings.Contains(e.Says, "no fault that is known") {
			t.Errorf("%s: %+v", c.what, e)
		}
	}
	if got := strings.Join(See(nil, 1_000_000, 2_000_000, wiped).Lines, "\n"); !strings.Contains(got, "n3 has no copy yet") {
		t.Errorf("of a node that is back without its copy is said: %s", got)
	}
	if got := strings.Join(See(nil, 1_000_000, 2_000_000, starting).Lines, "\n"); !strings.Contains(got, "n3 does not answer") {
		t.Errorf("of a node that does not answer is said: %s", got)
	}
}

// TestNothingIsPromisedWithoutAMajority: that nobody notices, or that a majority does without a node, is
// said only where that is so.
func TestNothingIsPromisedWithoutAMajority(t *testing.T) {
	down, gone := three(), three()
	down.Nodes[1].State = "down"
	gone.Nodes[1].State, gone.Nodes[2].State = "down", "down"
	for _, ask := range []FaultAsk{
		{Verb: "restart", Node: 3}, {Verb: "cut", Node: 1, To: 3, IsOneWay: true},
		{Verb: "slow", Node: 3, Delay: 150}, {Verb: "slow-disk", Node: 3, Delay: 100}, {Verb: "slow-disk", Node: 1, Delay: 1000},
	} {
		isPromised := func(p Picture) bool {
			says := Expect(ask, p).Says
			return strings.Contains(says, "obody should notice") || strings.Contains(says, "majority does without it") && !strings.Contains(says, "No majority")
		}
		if !isPromised(three()) {
			t.Errorf("of three: %s", Expect(ask, three()).Says)
		}
		if isPromised(down) || isPromised(gone) {
			t.Errorf("of two: %s; of one: %s", Expect(ask, down).Says, Expect(ask, gone).Says)
		}
	}
	slow := Expect(FaultAsk{Verb: "slow-disk", Node: 3, Delay: 100}, down)
	if len(slow.Loses) > 0 || !strings.Contains(slow.Says, "No majority does without it") {
		t.Errorf("%+v", slow)
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
	want := "g1: n3 leads term 5, 0.90 s after that\ng2: n2 led all the time, in term 7\ng3 has no leader, for up to 2.0 s now: its writes wait or are refused"
	if got := strings.Join(s.Lines, "\n"); got != want || s.IsCalm {
		t.Errorf("%s\nwant\n%s", got, want)
	}

	// The lead went on to another: what counts is when there was one again.
	notes = append(notes, cluster.Note{Kind: cluster.NoteRole, Group: 1, Node: 2, Word: "leader", Term: 6, Stamp: 9_000_000})
	p.Groups[0].Leader, p.Groups[0].Term = 2, 6
	want = "g1: n3 led term 5, 0.90 s after that; now n2 leads term 6"
	if got := See(notes, 1_000_000, 10_000_000, p).Lines[0]; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	p.Groups = append(p.Groups, GroupPicture{Group: 4, Leader: 1}, GroupPicture{Group: 5, Leader: 1})
	want = "4 of 5 groups have a leader; of those that had to elect one, the last had it 0.90 s after that"
	if got := See(notes, 1_000_000, 10_000_000, p).Lines; got[0] != want || !strings.HasPrefix(got[1], "g3 has no leader") {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestAStateIsForeseen: of a node that is down, paused, or runs already, a fault says that first, and promises
// nothing that such a node does not do.
func TestAStateIsForeseen(t *testing.T) {
	for _, c := range []struct {
		state     string
		ask       FaultAsk
		says, not string
	}{
		{"down", FaultAsk{Verb: "kill", Node: 3}, "n3 is down already: nothing changes.", "ends at once"},
		{"down", FaultAsk{Verb: "pause", Node: 3}, "n3 is down already: nothing changes.", "keeps its connections"},
		{"down", FaultAsk{Verb: "resume", Node: 3}, "n3 is down: nothing changes.", "goes on"},
		{"down", FaultAsk{Verb: "isolate", Node: 3}, "n3 is down: nothing changes until it runs.", "still reach"},
		{"down", FaultAsk{Verb: "cut", Node: 3, To: 1}, "n3 is down: nothing changes until it runs.", "do not hear"},
		{"down", FaultAsk{Verb: "cut", Node: 1, To: 3}, "n3 is down: nothing changes until it runs.", "do not hear"},
		{"down", FaultAsk{Verb: "slow", Node: 3, Delay: 100}, "n3 is down: nothing changes until it runs.", "ms late"},
		{"down", FaultAsk{Verb: "slow-disk", Node: 3, Delay: 100}, "n3 is down: nothing changes until it runs.", "takes"},
		{"down", FaultAsk{Verb: "clock", Node: 3, Ahead: 100}, "n3 is down: nothing changes until it runs.", "where it leads"},
		{"down", FaultAsk{Verb: "restart", Node: 3}, "n3 is down: it starts again from its disk.", "hands over"},
		{"down", FaultAsk{Verb: "wipe", Node: 3}, "n3 is down: it starts with an empty disk.", "is killed"},
		{"paused", FaultAsk{Verb: "pause", Node: 3}, "n3 is paused already: nothing changes.", "keeps its connections"},
		{"paused", FaultAsk{Verb: "isolate", Node: 3}, "n3 is paused: nothing changes until it goes on.", "still reach"},
		{"paused", FaultAsk{Verb: "resume", Node: 3}, "n3 goes on where it stopped.", "nothing changes"},
		{"paused", FaultAsk{Verb: "restart", Node: 3}, "n3 is paused: its process ends, and starts again from its disk.", "hands over"},
		{"paused", FaultAsk{Verb: "kill", Node: 3}, "n3 ends at once", "nothing changes"},
		{"up", FaultAsk{Verb: "resume", Node: 3}, "n3 is not paused: nothing changes.", "goes on"},
		{"up", FaultAsk{Verb: "restart", Node: 3}, "n3 hands over what it leads", "if it is down"},
		{"silent", FaultAsk{Verb: "isolate", Node: 3}, "n3 does not answer: if it is gone, nothing changes. ", ""},
		{"down", FaultAsk{Verb: "heal"}, "Links and disks are good again", "n0"},
	} {
		p := three()
		p.Nodes[2].State = c.state
		if says := Expect(c.ask, p).Says; !strings.HasPrefix(says, c.says) || c.not != "" && strings.Contains(says, c.not) {
			t.Errorf("%s, %+v: %s", c.state, c.ask, says)
		}
	}
}

// TestNobodyIsCalmWithoutALeader: while a group has no leader, that is said, and not that nobody will notice.
func TestNobodyIsCalmWithoutALeader(t *testing.T) {
	p := three()
	p.Groups[0].Leader = 0
	for _, ask := range []FaultAsk{{Verb: "kill", Node: 3}, {Verb: "restart", Node: 3}, {Verb: "pause", Node: 3}, {Verb: "isolate", Node: 3}, {Verb: "wipe", Node: 3},
		{Verb: "cut", Node: 1, To: 3, IsOneWay: true}, {Verb: "slow-disk", Node: 3, Delay: 100}} {
		if says := Expect(ask, p).Says; strings.Contains(says, "obody will notice") || strings.Contains(says, "obody should notice") || !strings.Contains(says, "g1 has no leader now") {
			t.Errorf("%+v: %s", ask, says)
		}
	}
}

// TestNewCopiesAreSeen: of a disk that was wiped, when its new copies had caught up and vote.
func TestNewCopiesAreSeen(t *testing.T) {
	p := three()
	members := func(group flotilla.GroupID, word string, stamp uint64) cluster.Note {
		return cluster.Note{Kind: cluster.NoteMembers, Group: group, Node: 3, Word: word, Stamp: stamp}
	}
	notes := []cluster.Note{
		{Kind: cluster.NoteNewCopy, Group: 1, Node: 3, Peer: 1, Value: 1001, Stamp: 500_000}, // of an earlier fault
		{Kind: cluster.NoteNewCopy, Group: 0, Node: 3, Peer: 1, Value: 1001, Stamp: 2_000_000},
		{Kind: cluster.NoteNewCopy, Group: 1, Node: 3, Peer: 1, Value: 1002, Stamp: 2_100_000},
		members(0, "voters n1 n2, learners n3", 2_200_000),
		members(0, "voters n1 n2 n3", 3_000_000),
		members(1, "voters n1 n2 n31, learners n3", 3_100_000),
	}
	seen := func() string { return strings.Join(See(notes, 1_000_000, 5_000_000, p).Lines, "\n") }
	if got, want := seen(), "n3 has a new copy of g0, 2.00 s after that; that of g1 is being filled"; !strings.Contains(got, want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	notes = append(notes, members(1, "voters n1 n2 n3", 3_500_000), members(1, "voters n1 n2 n3", 4_500_000))
	if got, want := seen(), "n3 has new copies of g0, g1, 2.50 s after that"; !strings.Contains(got, want) || strings.Contains(got, "filled") {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := strings.Join(See(notes[:1], 1_000_000, 5_000_000, p).Lines, "\n"); strings.Contains(got, "cop") {
		t.Errorf("without any: %s", got)
	}
	notes = notes[:3]
	if got, want := seen(), "the new copies of g0, g1 on n3 are being filled"; !strings.Contains(got, want) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestNoLoadIsTold: what requests saw of a fault is told of a load, and without one, how to see it.
func TestNoLoadIsTold(t *testing.T) {
	l := newLoad(nil, "", nil)
	const hint = "No load ran: start it to see what requests see."
	if says := l.seen(time.Now(), 1); says != hint {
		t.Error(says)
	}
	fault := time.Now()
	l.set(100, .5)
	l.past[0].at = fault.Add(time.Second)
	if says := l.seen(fault, 1); says != "The load began after that: what requests saw until then is not known." {
		t.Error(says)
	}
	l.past[0].at = fault.Add(-time.Second)
	if says := l.seen(fault, 1); !strings.HasPrefix(says, "the load through n1: 0 commands answered, 0 refused") {
		t.Error(says)
	}
	l.set(0, .5)
	if says := l.seen(fault, 1); says != hint {
		t.Error(says)
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

// TestRolesAreTold: trials and candidacies apart, and who learns not as who follows, each with the term that
// it is about, and why.
func TestRolesAreTold(t *testing.T) {
	for _, c := range []struct {
		note      cluster.Note
		what, why string
	}{
		{cluster.Note{Word: cluster.RoleTrial, Term: 2, Peer: 1, Value: 900}, "n2 asks whether it could win term 3 of g1", "it last heard n1, who led, 0.9 s ago"},
		{cluster.Note{Word: "candidate", Term: 3}, "n2 stands for term 3 of g1", "a majority said on trial that it would vote for it"},
		{cluster.Note{Word: "candidate", Term: 3, Peer: 1, Value: 50}, "n2 stands for term 3 of g1", "n1, who led, asked it to take over: that needs no trial"},
		{cluster.Note{Word: "learner", Term: 3, Peer: 1}, "n2 learns g1 from n1 (term 3)", "its copy is new"},
		{cluster.Note{Word: "learner", Term: 3}, "n2 is to learn g1, and knows no leader (term 3)", "its copy is new"},
	} {
		c.note.Kind, c.note.Node, c.note.Group = cluster.NoteRole, 2, 1
		if told := Tell(c.note); told.What != c.what || told.Why != c.why {
			t.Errorf("%+v: %+v", c.note, told)
		}
	}
}

// TestAWipeIsTold: also if the supervisor is asked when all is over, and once.
func TestAWipeIsTold(t *testing.T) {
	w := newWatcher(&Options{})
	const now = int64(5 * historyMicros)
	states := []supervisor.MemberState{{Node: 3, Phase: supervisor.Running, PID: 11, Changes: []supervisor.Change{
		{Number: 1, What: supervisor.Running, PID: 9, AtMicros: now - 60_000_000}, {Number: 2, What: supervisor.Paused, PID: 9, AtMicros: now - historyMicros - 1},
		{Number: 3, What: supervisor.Down, AtMicros: now - 30}, {Number: 4, What: supervisor.Wiped, AtMicros: now - 20}, {Number: 5, What: supervisor.Running, PID: 11, AtMicros: now - 10}}}}
	w.takeFleet(states, now)
	w.takeFleet(states, now)
	w.history.release()
	var said []string
	for _, n := range w.history.rare() {
		said = append(said, Tell(n).What)
	}
	want := "n3 was killed, the disk of n3 was wiped, n3 runs (process 11)"
	if got := strings.Join(said, ", "); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if told := Tell(cluster.Note{Kind: cluster.NoteStarted, Node: 3, Word: cluster.StartedEmpty}); told.What != "n3 started with an empty disk" || strings.Contains(told.Next, "what is on its disk") {
		t.Errorf("%+v", told)
	}
}

// TestOnlyWhatOwnsSlotsKeepsWritesWaiting: the directory has no keys.
func TestOnlyWhatOwnsSlotsKeepsWritesWaiting(t *testing.T) {
	p := three()
	p.Groups = append(p.Groups, GroupPicture{Group: flotilla.Directory, Leader: 2, Copies: p.Groups[0].Copies})
	for _, verb := range []supervisor.Verb{supervisor.Kill, supervisor.SlowDisk} {
		says := Expect(FaultAsk{Verb: verb, Node: 2, Delay: 100}, p).Says
		if !strings.Contains(says, "the directory only, g0") || strings.Contains(says, "writes wait") || strings.Contains(says, "each write takes") {
			t.Errorf("%s: %s", verb, says)
		}
	}
	p.Groups[1].Leader = 1
	says := Expect(FaultAsk{Verb: supervisor.Kill, Node: 1}, p).Says
	if !strings.Contains(says, "It leads g1: ") || !strings.Contains(says, "It leads the directory too, g0") {
		t.Error(says)
	}
}

// TestFaultsAreRead: nodes are named as people do, and who asks otherwise is told what is wrong.
func TestFaultsAreRead(t *testing.T) {
	for body, want := range map[string]string{
		`{"verb":"cut","node":"n9","to":2,"one_way":true}`: "{cut n9 n2 true 0 0 false }",
		`{"verb":"kill","node":3}`:                         "{kill n3 n0 false 0 0 false }",
		`{"verb":"kill","node":"nine"}`:                    `that is not what is asked for here: "nine" names no node: nodes are 1, or n1, and so on`,
		`{"verb":"slow","delay_ms":"long"}`:                "delay_ms can not be a string",
		`{"verb":`:                                         "that is no JSON: unexpected EOF",
		`kill n3`:                                          "that is no JSON: invalid character 'k' looking for beginning of value",
	} {
		var ask FaultAsk
		w := httptest.NewRecorder()
		got := ""
		if readAsk(w, httptest.NewRequest(http.MethodPost, "/api/fault", strings.NewReader(body)), &ask) {
			got = fmt.Sprint(ask)
		} else {
			got = strings.TrimSpace(w.Body.String())
		}
		if got != want {
			t.Errorf("%s is read as %q, want %q", body, got, want)
		}
	}
}

// TestOldFaultsAreNotAskedAfter: what came of them is not remembered.
func TestOldFaultsAreNotAskedAfter(t *testing.T) {
	c := &Console{options: Options{Micros: func() int64 { return 5 * historyMicros }}}
	w := httptest.NewRecorder()
	c.seen(w, httptest.NewRequest(http.MethodGet, "/api/fault/seen?since=1", nil))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "the last ten minutes") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestWhoWasStoppedLeadsNoMore: of a process that the supervisor stopped, what the node said before is over,
// also while it may still be believed to answer.
func TestWhoWasStoppedLeadsNoMore(t *testing.T) {
	for phase, want := range map[supervisor.Phase]flotilla.NodeID{supervisor.Running: 1, "": 1, supervisor.Down: 0, supervisor.Paused: 0, supervisor.Waiting: 0} {
		w := newWatcher(&Options{Host: knownHost{self: 2, nodes: &[]flotilla.NodeInfo{{ID: 1}, {ID: 2}}}})
		for id, role := range map[flotilla.NodeID]string{1: "leader", 2: "follower"} {
			w.nodes[id] = &heard{answers: true, status: &cluster.Status{Groups: []cluster.GroupStatus{{Group: 1, Term: 3, IsHere: true, Role: role}}}}
		}
		w.fleet[1] = supervisor.MemberState{Node: 1, Phase: phase}
		g := w.drawGroup(flotilla.GroupInfo{ID: 1, Nodes: []flotilla.NodeID{1, 2}})
		if g.Leader != want || g.Term != 3 || (g.Copies[0].Role == "unknown") != (want == 0) || g.Copies[1].Role != "follower" {
			t.Errorf("%s: %+v", phase, g)
		}
	}
}

// TestWipingTheLastCopiesIsAskedFor: while nodes are down nothing is lost that they do not lose with their disks.
func TestWipingTheLastCopiesIsAskedFor(t *testing.T) {
	down, half, gone := three(), three(), three()
	down.Nodes[0].State, down.Nodes[1].State = "down", "down"
	half.Nodes[0].State, half.Nodes[1].State, half.Groups[0].Copies[0].Role = "up", "down", "unknown" // n1 was wiped, and is back without a copy
	gone.Nodes[1].State, gone.Groups[0].Copies[0].Role, gone.Groups[0].Copies[2].Role = "down", "unknown", "unknown"
	for _, c := range []struct {
		what string
		p    Picture
		node flotilla.NodeID
		ends bool
	}{
		{"one of two that are down", down, 1, false},
		{"the second of them", half, 2, true},
		{"the one that is left", half, 3, true},
		{"the one that was wiped already", half, 1, false},
		{"the last copy", gone, 2, true},
		{"one of three", three(), 1, false},
	} {
		e := Expect(FaultAsk{Verb: "wipe", Node: c.node}, c.p)
		if ends := strings.Contains(e.Says, "for good"); ends != c.ends || ends && len(e.Loses) == 0 {
			t.Errorf("%s: %+v", c.what, e)
		}
	}
}
