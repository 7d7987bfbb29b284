package storage

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestTableKeepsOrderWhenAsked: whatever came since the last look, readers that ask at
// the same time see every key once, in order, with its newest value.
func TestTableKeepsOrderWhenAsked(t *testing.T) {
	random := newRand(11)
	model := map[string]string{}
	table := newTable()
	var clones []*frozenCopy
	for round := range 40 {
		for i := range random.IntN(2 * maxUnsorted / 3) {
			key, value := fmt.Sprintf("%05d", random.IntN(30_000)), fmt.Sprint(round, i)
			table.set([]byte(key), []byte(value))
			model[key] = value
		}
		if random.IntN(4) == 0 {
			clones = append(clones, &frozenCopy{table.clone(), len(model)})
		}
		if random.IntN(4) == 0 {
			table.deleteRange([]byte("10000"), []byte("10100"), 100)
			for key := range model {
				if key >= "10000" && key < "10100" {
					delete(model, key)
				}
			}
		}
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() { compareToModel(t, table, model) })
		}
		readers.Wait()
	}
	for _, c := range clones {
		if got := c.items().Len(); got != c.size {
			t.Errorf("a clone of %d items has %d now", c.size, got)
		}
	}
}

// frozenCopy is a clone, and how many items it had.
type frozenCopy struct {
	*table
	size int
}

func compareToModel(t *testing.T, table *table, model map[string]string) {
	var keys [][]byte
	table.items().Scan(func(i item) bool {
		keys = append(keys, i.key)
		if string(i.value) != model[string(i.key)] {
			t.Errorf("%s is %q in the order, and %q was set", i.key, i.value, model[string(i.key)])
		}
		return true
	})
	if !slices.IsSortedFunc(keys, bytes.Compare) || len(keys) != len(model) {
		t.Errorf("%d keys come in order (or not) of %d", len(keys), len(model))
	}
}

// TestSetAfterAFlushBetween: a Set does not write to where the Get before it found the
// key, if that table was flushed or the range deleted meanwhile.
func TestSetAfterAFlushBetween(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, "node", testOptions(t, fs))
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	s := d.State(1).(*groupState)
	commit := func() { s.Commit(consensus.Mark{Index: s.Mark().Index + 1, Term: 1}) }
	for _, key := range []string{"flushed", "deleted"} {
		s.Set([]byte(key), []byte("old"))
	}
	commit()
	s.Get([]byte("flushed"))
	d.Flush()
	s.Set([]byte("flushed"), []byte("new"))
	commit()

	s.Set([]byte("deleted"), []byte("old"))
	s.Get([]byte("deleted"))
	s.DeleteRange([]byte("d"), []byte("e"))
	s.Set([]byte("deleted"), []byte("new"))
	commit()
	must(t, d.Close())

	d = mustOpen(t, "node", testOptions(t, fs))
	defer d.Close()
	for _, key := range []string{"flushed", "deleted"} {
		if value, ok := d.State(1).Get([]byte(key)); string(value) != "new" {
			t.Errorf("%s is %q, %v after a restart", key, value, ok)
		}
	}
}
