package storage

import (
	"encoding/binary"
	"testing"

	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A range deletion touches at most maxDropped items, however many there are; and
// tables that are put aside again and again are written before they are too many.
func TestLargeRangeIsDeletedWithoutVisitingIt(t *testing.T) {
	opts := testOptions(t, vfs.NewCrashableMem())
	opts.Synchronous = true
	d := mustOpen(t, "node", opts)
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	s := d.State(1).(*groupState)
	var deepest int
	for round := range uint64(3 * sealedTables) {
		for i := range uint32(maxDropped + 1) {
			s.Set(binary.BigEndian.AppendUint32([]byte{'a'}, i), nil)
		}
		s.Set([]byte("b"), []byte("kept"))
		filled := s.layers.Load().active
		s.DeleteRange([]byte("a"), []byte("b"))
		if got := filled.items().Len(); got != maxDropped+2 {
			t.Fatalf("round %d: the deletion left %d items in the table that it found, of %d", round, got, maxDropped+2)
		}
		deepest = max(deepest, len(s.layers.Load().sealed))
		s.Commit(consensus.Mark{Index: round + 1, Term: 1})
		for key := range s.Scan([]byte("a"), []byte("b")) {
			t.Fatalf("round %d: %x is there", round, key)
		}
	}
	if deepest != sealedTables {
		t.Errorf("%d tables were put aside, want %d at most", deepest, sealedTables)
	}
	d.Flush()
	if value, ok := s.Get([]byte("b")); !ok || string(value) != "kept" {
		t.Errorf("b is %q", value)
	}
	must(t, d.Close())
}
