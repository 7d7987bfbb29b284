package moment

import (
	"slices"
	"strings"
	"testing"

	"flotilla"
	"flotilla/cluster"
	"flotilla/consensus"
	"flotilla/scenario"

	"go.etcd.io/raft/v3/raftpb"
)

// recorded is a disk and a transport that note what reaches them.
type recorded struct {
	consensus.Disk
	cluster.Transport
	did    []string
	stored *raftpb.HardState // of each group, when the disk was opened
}

// recordedLog is a log of which only the HardState is asked.
type recordedLog struct {
	consensus.Log
	*recorded
}

func (r *recorded) Log(flotilla.GroupID) consensus.Log { return recordedLog{recorded: r} }

func (l recordedLog) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return l.stored, nil, nil
}

func (r *recorded) Append([]consensus.Write) error { r.did = append(r.did, "append"); return nil }

func (r *recorded) Install(consensus.Staged, *raftpb.HardState) error {
	r.did = append(r.did, "install")
	return nil
}

func (r *recorded) Send(flotilla.NodeID, []byte) { r.did = append(r.did, "send") }

type ended string

// TestTheProcessEndsAtItsMoment: what had been done by then is what the moment says.
func TestTheProcessEndsAtItsMoment(t *testing.T) {
	entry := consensus.Write{Group: 1, Entries: []*raftpb.Entry{{}}}
	term := consensus.Write{Group: 1, HardState: &raftpb.HardState{Term: new(uint64(2))}}
	voted := consensus.Write{Group: 1, HardState: &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(3))}}
	committed := consensus.Write{Group: 1, HardState: &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(3)), Commit: new(uint64(9))}}
	// In this life: a frame that is no reply, an entry, its reply, a new term, a vote, a
	// commit index, a reply and one more frame, a snapshot.
	const life = "send append send append append append send send install"
	for moment, want := range map[scenario.Boundary]string{
		scenario.BeforeAppend:  "send",
		scenario.AfterAppend:   "send append",
		scenario.BeforeReply:   "send append",
		scenario.AfterReply:    "send append send",
		scenario.BeforeVote:    "send append send",
		scenario.AfterVote:     "send append send append",
		scenario.BeforeInstall: "send append send append append append send send",
		scenario.AfterInstall:  life,
		"":                     life,
	} {
		r := &recorded{}
		trap := &Trap{End: func(last Last) { panic(ended(last.Touch)) }}
		d, over := Around(trap, r, r)
		if err := trap.Set(moment, Last{Touch: "here"}); err != nil && moment != "" {
			t.Fatal(err)
		}
		touched := func() (touched ended) {
			defer func() { touched, _ = recover().(ended) }()
			over.Send(2, nil)
			for _, w := range []consensus.Write{entry, term, voted, committed} {
				if err := d.Append([]consensus.Write{w}); err != nil {
					t.Error(err)
				}
				if w.Entries != nil {
					over.Send(2, nil)
				}
			}
			over.Send(2, nil)
			over.Send(3, nil)
			if err := d.Install(nil, nil); err != nil {
				t.Error(err)
			}
			return ""
		}()
		if err := trap.Set("", Last{}); err == nil {
			t.Errorf("%q: the trap still waits, though its moment came", moment)
		}
		if got := strings.Join(r.did, " "); got != want || (touched == "here") != (moment != "") {
			t.Errorf("%q: did %q and touched %q, expected %q", moment, got, touched, want)
		}
	}
}

func TestOnlyWhatPassesHere(t *testing.T) {
	trap := &Trap{}
	if err := trap.Set(scenario.BetweenInstall, Last{}); err == nil || !strings.Contains(err.Error(), "before append") {
		t.Errorf("the middle of an install is waited for: %v", err)
	}
	for _, m := range []scenario.Boundary{scenario.BeforeFlush, scenario.AfterFlush, scenario.BetweenInstall} {
		if slices.Contains(Moments(), m) {
			t.Errorf("%s", m)
		}
	}
}

// TestACommitIndexIsNoVote: it is in the same HardState, also in the first one of a process that
// has found its vote on the disk.
func TestACommitIndexIsNoVote(t *testing.T) {
	voted := &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(3))}
	r := &recorded{stored: voted}
	trap := &Trap{End: func(Last) { t.Error("a commit index is taken for a vote") }}
	d, _ := Around(trap, r, r)
	if err := trap.Set(scenario.BeforeVote, Last{}); err != nil {
		t.Fatal(err)
	}
	committed := &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(3)), Commit: new(uint64(9))}
	for _, hard := range []*raftpb.HardState{committed, voted, committed} {
		if err := d.Append([]consensus.Write{{Group: 1, HardState: hard}}); err != nil {
			t.Fatal(err)
		}
		if err := trap.Set(scenario.BeforeVote, Last{}); err != nil {
			t.Fatal(err)
		}
	}
}
