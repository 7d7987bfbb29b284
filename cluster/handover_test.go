package cluster_test

import (
	"strings"
	"testing"
	"time"

	"flotilla"
)

// TestLeadersHandOverWhenAsked: the leader does, to whom it is told or to whom it
// likes, and says why not if it does not.
func TestLeadersHandOverWhenAsked(t *testing.T) {
	f := newFleet(t, 3, 1)
	leader := func() flotilla.NodeID {
		for i, n := range f.nodes {
			for _, g := range n.server.Status().Groups {
				if g.Group == 1 && g.Role == "leader" {
					return flotilla.NodeID(i + 1)
				}
			}
		}
		return 0
	}
	var first flotilla.NodeID
	eventually(t, "a leader", func() bool { first = leader(); return first != 0 })
	other := first%3 + 1
	if err := f.nodes[other-1].server.Transfer(1, first); err == nil || !strings.Contains(err.Error(), "does not lead g1") {
		t.Errorf("%v is asked to hand over what %v leads: %v", other, first, err)
	}
	if err := f.nodes[first-1].server.Transfer(1, 9); err == nil || !strings.Contains(err.Error(), "n9 is not near enough") {
		t.Errorf("to a node that is not there: %v", err)
	}
	ask := func(from, to flotilla.NodeID) {
		t.Helper()
		// Until followers are known to have the log, nobody is near enough.
		eventually(t, "the order to be taken", func() bool { return leader() != from || f.nodes[from-1].server.Transfer(1, to) == nil })
		eventually(t, "another leader", func() bool { now := leader(); return now != 0 && now != from })
	}
	ask(first, other)
	ask(leader(), 0)
}

// TestCopiesHaveOneHash: at the same index, and another one after a write.
func TestCopiesHaveOneHash(t *testing.T) {
	f := newFleet(t, 3, 1)
	at := func() (hashes map[string]bool, isSame bool) {
		hashes = map[string]bool{}
		applied := map[uint64]bool{}
		for _, s := range f.nodes {
			for _, g := range s.server.StatusWithHashes().Groups {
				if g.Group == 1 {
					hashes[g.Hash], applied[g.Applied] = true, true
				}
			}
		}
		return hashes, len(applied) == 1 && !hashes[""]
	}
	settled := func() (hash string) {
		t.Helper()
		eventually(t, "all copies at one index", func() bool {
			hashes, isSame := at()
			if isSame && len(hashes) != 1 {
				t.Fatalf("copies at one index have the hashes %v", hashes)
			}
			for hash = range hashes {
			}
			return isSame
		})
		return hash
	}
	f.mustAppend(t, 1)
	before := settled()
	f.mustAppend(t, 2)
	if after := settled(); after == before {
		t.Errorf("a write did not change the hash %s", after)
	}
	if s := f.nodes[0].server.Status(); s.Groups[1].Hash != "" {
		t.Errorf("nobody asked for the hash %s", s.Groups[1].Hash)
	}
}

func (f *fleet) mustAppend(t *testing.T, value byte) {
	t.Helper()
	if _, err := f.appendTo(0, 'k', value); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !isSo() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
