package store

import (
	"bytes"
	"fmt"
	"iter"
	"testing"

	"flotilla"
)

// nullState has nothing, or one value for each key, and forgets what is written:
// what is left is the machine's own work.
type nullState struct{ value []byte }

func (s nullState) Get([]byte) ([]byte, bool) { return s.value, s.value != nil }
func (nullState) Set(_, _ []byte)             {}
func (nullState) Delete([]byte)               {}
func (nullState) DeleteRange(_, _ []byte)     {}
func (nullState) Scan(_, _ []byte) iter.Seq2[[]byte, []byte] {
	return func(func([]byte, []byte) bool) {}
}
func (s nullState) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] { return s.Scan(start, end) }

// BenchmarkSet is the hot path: entries of 16 SETs of 256 bytes, over keys that
// exist; the figure is for one SET.
func BenchmarkSet(b *testing.B) {
	record := append([]byte{byte(kindString)}, make([]byte, recordHead-1+256)...)
	var commands [][]byte
	for i := range 16 {
		key := fmt.Appendf(nil, "key:%012d", i)
		commands = append(commands, Encode(nil, [][]byte{[]byte("SET"), key, bytes.Repeat([]byte("x"), 256)}))
	}
	b.ReportAllocs()
	tx := &flotilla.Tx{State: nullState{}, Group: 1, Time: 1000}
	for i := 0; b.Loop(); i++ {
		if i%16 == 0 {
			tx.Index++
			tx.Scratch = nil
			tx.State = nullState{}
			Machine{}.Begin(tx)
			tx.State = nullState{record}
			tx.Scratch.(*call).r = tx.State
		}
		tx.Ordinal = i%16 + 1
		Machine{}.Apply(tx, commands[i%16])
	}
}

// BenchmarkGet is a read of 256 bytes.
func BenchmarkGet(b *testing.B) {
	record := append([]byte{byte(kindString)}, make([]byte, recordHead-1+256)...)
	command := Encode(nil, toBytes([]string{"GET", "key:000000000001"}))
	view := &flotilla.View{Reader: nullState{record}, Group: 1, Index: 1, Time: 1000, Now: 1000}
	b.ReportAllocs()
	for b.Loop() {
		Machine{}.Read(view, command)
	}
}

// TestSetDoesNotAllocate holds for all SETs of an entry but the first.
func TestSetDoesNotAllocate(t *testing.T) {
	record := append([]byte{byte(kindString)}, make([]byte, recordHead-1+256)...)
	tx := &flotilla.Tx{State: nullState{}, Group: 1, Index: 1, Ordinal: 1, Time: 1000}
	Machine{}.Begin(tx)
	tx.State = flotilla.State(nullState{record})
	tx.Scratch.(*call).r = tx.State
	command := Encode(nil, toBytes([]string{"set", "key", "value"}))
	Machine{}.Apply(tx, command)
	if n := testing.AllocsPerRun(100, func() { Machine{}.Apply(tx, command) }); n != 0 {
		t.Errorf("a SET allocates %v times", n)
	}
}
