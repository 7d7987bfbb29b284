package scenario

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flotilla/consensus"
	"flotilla/storage"

	"go.etcd.io/raft/v3/raftpb"
)

// TestWordsAreThoseOfOtherPackages: what is written twice because this package may
// not import the others is the same there.
func TestWordsAreThoseOfOtherPackages(t *testing.T) {
	for ours, theirs := range map[Boundary]storage.Boundary{
		BeforeAppend: storage.BeforeAppend, AfterAppend: storage.AfterAppend,
		BeforeFlush: storage.BeforeFlush, AfterFlush: storage.AfterFlush,
		BeforeInstall: storage.BeforeInstall, BetweenInstall: storage.BetweenInstall, AfterInstall: storage.AfterInstall,
	} {
		if string(ours) != string(theirs) {
			t.Errorf("%q is %q in storage", ours, theirs)
		}
	}
}

// TestFilesAreWhereTheyAreSaidToBe: a disk that was used has a file of each kind.
func TestFilesAreWhereTheyAreSaidToBe(t *testing.T) {
	dir := t.TempDir()
	d, err := storage.Open(dir, storage.Options{BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	replica := consensus.Replica{Group: 1, ID: 1}
	err = errors.Join(d.Create(replica, nil), d.Append([]consensus.Write{{Group: 1, HardState: &raftpb.HardState{Term: new(uint64(1))}}}), d.Close())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fileForms() {
		found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(f.file.Path())))
		if err != nil || len(found) == 0 {
			t.Errorf("%s: no file is like %s (%v)", f.file, f.path, err)
		}
	}
}

// TestEveryStepIsPossibleSomewhere: each verb's example can be done by one of the
// executors that are known here, and needs an ability that is listed.
func TestEveryStepIsPossibleSomewhere(t *testing.T) {
	for _, v := range verbs {
		p, err := Parse("name x\nfor 9s\nat 1s " + v.example)
		if err != nil {
			t.Errorf("the example of %s: %v", v.verb, err)
			continue
		}
		s := p.Steps[0]
		if s.Verb != v.verb || s.Action() != v.example {
			t.Errorf("the example of %s reads `%s`, and means `%s`", v.verb, v.example, s.Action())
		}
		for _, need := range s.Needs() {
			if !slices.Contains(abilities(), need) {
				t.Errorf("%s needs %q, which is not listed", v.verb, need)
			}
		}
		if len(s.Needs()) == 0 && v.verb != MendDisk {
			t.Errorf("%s needs nothing", v.verb)
		}
		if !slices.ContainsFunc(executors(), func(e Executor) bool { return e.CanDo(s) == nil }) {
			t.Errorf("nobody can do `%v`", s)
		}
	}
}

// TestWhoCanDoWhat holds parts of crashes and the like against the four executors.
func TestWhoCanDoWhat(t *testing.T) {
	for action, want := range map[string]string{
		"crash n1":                            "memory pebble processes powercut",
		"crash n1 losing unsynced":            "memory pebble powercut",
		"crash n1 losing some unsynced":       "memory powercut",
		"crash n1 after vote losing unsynced": "memory pebble powercut",
		"crash n1 before reply":               "memory pebble processes powercut",
		"crash n1 after flush":                "memory",
		"crash n1 between install":            "memory",
		"crash n1 before install":             "memory pebble processes powercut",
		"wipe n1":                             "memory pebble processes powercut",
		"flip a bit in tail of n1":            "pebble processes powercut",
		"clear last 1KiB of wal of n1":        "pebble processes powercut",
		"reorder 5% everywhere":               "memory pebble processes powercut",
		"run clock of n1 5ppm fast":           "memory pebble processes powercut",
		"fill disk of n1":                     "memory pebble powercut",
		"transfer group 1":                    "memory pebble processes powercut",
	} {
		p, err := Parse("name x\nfor 9s\nat 1s " + action)
		if err != nil {
			t.Fatal(err)
		}
		var can []string
		for i, e := range executors() {
			if e.CanPlay(p) == nil {
				can = append(can, []string{"memory", "pebble", "processes", "powercut"}[i])
			}
		}
		if got := strings.Join(can, " "); got != want {
			t.Errorf("`%s` can be done by %q, expected %q", action, got, want)
		}
	}
}

func TestWhatIsNotPossibleIsNamed(t *testing.T) {
	p, err := Parse("name x\nfor 9s\nat 1s kill n1\nat 2s fill disk of n1\nat 3s crash n2 before flush\n")
	if err != nil {
		t.Fatal(err)
	}
	err = Real().CanPlay(p)
	if err == nil {
		t.Fatal("processes can do all of it")
	}
	text := err.Error()
	for _, want := range []string{"at 2s fill disk of n1", "at 3s crash n2 before flush", "a fleet of processes can not fill a disk"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "kill") {
		t.Errorf("what is possible is refused:\n%s", text)
	}
	if err := Real().CanDo(p.Steps[0]); err != nil {
		t.Error(err)
	}
	if err := Virtual().CanPlay(p); err != nil {
		t.Error(err)
	}
}
