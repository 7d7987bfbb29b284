package storage

import (
	"fmt"
	"testing"

	"flotilla/consensus"
)

// TestLargeValuesDoNotLieAmongOthers: who looks for a key that is next to one with a
// large value, or would be, does not read that value.
func TestLargeValuesDoNotLieAmongOthers(t *testing.T) {
	d := mustOpen(t, t.TempDir(), Options{StateCacheBytes: 1 << 20})
	defer d.Close()
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	s := d.State(1).(*groupState)
	value := make([]byte, 4<<20)
	random := newRand(1)
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	s.Set([]byte("k"), value)
	s.Set([]byte("a"), []byte("small"))
	s.Commit(consensus.Mark{Index: 1, Term: 1})
	d.Flush()
	must(t, d.state.Compact(t.Context(), []byte{0}, []byte{0xff}, false)) // the lowest level has no filters
	s.forgetClean()
	before := blockBytes(d)
	for i := range 20 {
		s.Get(fmt.Appendf(nil, "e%d", i))
		s.Get([]byte("a"))
	}
	if read := blockBytes(d) - before; read > 1<<20 {
		t.Errorf("40 looks for small neighbours of 4 MiB read %d bytes", read)
	}
	if got, ok := s.Get([]byte("k")); !ok || string(got) != string(value) {
		t.Error("the large value is not what was set")
	}
}

func blockBytes(d *Disk) (sum uint64) {
	for _, c := range d.state.Metrics().CategoryStats {
		sum += c.CategoryStats.BlockBytes
	}
	return sum
}
