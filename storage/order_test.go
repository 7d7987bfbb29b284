package storage

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
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
			table.deleteRange([]byte("10000"), []byte("10100"))
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
