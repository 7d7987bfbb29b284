package queue

import (
	"math/rand/v2"
	"slices"
	"testing"

	"flotilla"
)

// TestTrieIsASet compares a trie with a sorted slice, with numbers near and far.
func TestTrieIsASet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, spread := range []uint64{50, 70, 5000, 300_000, 1 << 40, 1 << 59} {
		state := &fakeState{}
		height := uint64(0)
		set := trie{gen: 1, number: 1, base: 64 * r.Uint64N(9), height: &height}
		var want []uint64
		for range 40 {
			tx := &flotilla.Tx{State: state}
			e := newEntry(state, tx, 0)
			for range 10 {
				n := set.base + r.Uint64N(spread)
				at, found := slices.BinarySearch(want, n)
				switch {
				case r.IntN(3) > 0 && !found:
					e.add(set, n)
					want = slices.Insert(want, at, n)
				case found:
					e.remove(set, n)
					want = slices.Delete(want, at, at+1)
				}
				from := r.Uint64N(set.base + spread + 100)
				at, _ = slices.BinarySearch(want, from)
				got, ok := e.next(set, from)
				if ok != (at < len(want)) || ok && got != want[at] {
					t.Fatalf("spread %d: next from %d is %d (%v), of %v", spread, from, got, ok, want)
				}
			}
			e.save()
		}
		e := newEntry(state, &flotilla.Tx{State: state}, 0)
		for _, n := range want {
			e.remove(set, n)
		}
		e.save()
		state.live(func(key string, _ []byte) { t.Errorf("spread %d: a node is left: %q", spread, key) })
	}
}
