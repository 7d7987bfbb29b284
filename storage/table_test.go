package storage

import (
	"fmt"
	"testing"
)

// TestTableCountsWhatItKeeps: values that lie in a block, and that were replaced or deleted since, stay in memory
// as long as the table, and count. Those that do not, do not.
func TestTableCountsWhatItKeeps(t *testing.T) {
	small, large := make([]byte, 900), make([]byte, 100<<10)
	table := newTable()
	for i := range 1000 {
		key := fmt.Appendf(nil, "k%03d", i)
		table.set(key, small)
		table.delete(key)
	}
	if table.bytes < 900_000 {
		t.Errorf("of 1000 values of 900 bytes in blocks %d bytes are counted", table.bytes)
	}
	table = newTable()
	for i := range 1000 {
		key := fmt.Appendf(nil, "k%03d", i)
		table.set(key, large)
		table.delete(key)
		table.set(key, large)
		table.delete(key)
	}
	if table.bytes > 1000*2*itemOverhead {
		t.Errorf("of values that are gone %d bytes are counted", table.bytes)
	}
	table = newTable()
	for i := range 1000 {
		table.set([]byte("k"), large)
		if i%2 == 0 && !table.deleteRange([]byte("a"), []byte("z"), 10) {
			t.Fatal("one item is too many")
		}
	}
	if table.bytes < 0 || table.bytes > 2*len(large) {
		t.Errorf("of one value %d bytes are counted", table.bytes)
	}
}
