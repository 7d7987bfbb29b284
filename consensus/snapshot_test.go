package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
)

// pairs is a View of a few keys in memory.
type pairs struct {
	mark Mark
	data map[string]string
	err  error
}

func (p pairs) Get(key []byte) ([]byte, bool) {
	value, ok := p.data[string(key)]
	return []byte(value), ok
}

func (p pairs) Scan(_, _ []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		var keys []string
		for key := range p.data {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if !yield([]byte(key), []byte(p.data[key])) {
				return
			}
		}
	}
}

func (p pairs) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] { return p.Scan(start, end) }
func (p pairs) Mark() Mark                                           { return p.mark }
func (p pairs) Err() error                                           { return p.err }
func (p pairs) Close()                                               {}

func readAll(stream []byte) (Mark, map[string]string, error) {
	r, err := NewSnapshotReader(bytes.NewReader(stream))
	if err != nil {
		return Mark{}, nil, err
	}
	got := map[string]string{}
	for {
		key, value, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Mark(), got, nil
		}
		if err != nil {
			return r.Mark(), got, err
		}
		got[string(key)] = string(value)
	}
}

func snapshotOf(t testing.TB, view View) []byte {
	t.Helper()
	var stream bytes.Buffer
	if err := WriteSnapshot(&stream, view); err != nil {
		t.Fatal(err)
	}
	return stream.Bytes()
}

func someView(n, valueBytes int) pairs {
	p := pairs{mark: Mark{Index: 7, Term: 3, Time: 1234}, data: map[string]string{}}
	for i := range n {
		p.data[fmt.Sprintf("k%05d", i)] = string(bytes.Repeat([]byte{byte(i)}, valueBytes))
	}
	return p
}

func TestSnapshotRoundTrip(t *testing.T) {
	for _, view := range []pairs{someView(0, 0), someView(1, 0), someView(100, 10), someView(3000, 300), someView(2, 3<<20)} {
		mark, got, err := readAll(snapshotOf(t, view))
		if err != nil || mark != view.mark || len(got) != len(view.data) {
			t.Fatalf("%d keys: mark %v, %d keys, err %v", len(view.data), mark, len(got), err)
		}
		for key, value := range view.data {
			if got[key] != value {
				t.Fatalf("%s differs", key)
			}
		}
	}
}

func TestSnapshotDamageIsFound(t *testing.T) {
	stream := snapshotOf(t, someView(50, 20))
	for i := range stream {
		damaged := bytes.Clone(stream)
		damaged[i] ^= 1 << (i % 8)
		if _, _, err := readAll(damaged); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("a flipped bit in byte %d of %d: %v", i, len(stream), err)
		}
		if _, _, err := readAll(stream[:i]); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("cut at byte %d of %d: %v", i, len(stream), err)
		}
	}
}

func TestSnapshotOfBrokenViewFails(t *testing.T) {
	view := someView(3, 3)
	view.err = errors.New("disk")
	if err := WriteSnapshot(io.Discard, view); !errors.Is(err, view.err) {
		t.Fatalf("got %v", err)
	}
}

// A header that promises a gigabyte must not make the reader allocate one.
func TestSnapshotLiarGetsNoMemory(t *testing.T) {
	stream := snapshotOf(t, someView(0, 0))[:snapshotHeaderBytes]
	stream = append(stream, 1, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 'x')
	r, err := NewSnapshotReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(); !errors.Is(err, ErrBadSnapshot) {
		t.Fatalf("got %v", err)
	}
	if cap(r.chunk) > 2*snapshotReadStep {
		t.Fatalf("holds %d bytes", cap(r.chunk))
	}
}

func TestHashTellsKeysFromValues(t *testing.T) {
	a := pairs{data: map[string]string{"ab": "c"}}
	b := pairs{data: map[string]string{"a": "bc"}}
	same := pairs{data: map[string]string{"ab": "c"}}
	if Hash(a) == Hash(b) || Hash(a) != Hash(same) {
		t.Fatalf("%x %x %x", Hash(a), Hash(b), Hash(same))
	}
}

func FuzzSnapshotReader(f *testing.F) {
	f.Add(snapshotOf(f, someView(0, 0)))
	f.Add(snapshotOf(f, someView(5, 5)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		mark, got, err := readAll(stream)
		if err != nil {
			return
		}
		again := snapshotOf(t, pairs{mark: mark, data: got})
		if m, g, err := readAll(again); err != nil || m != mark || len(g) != len(got) {
			t.Fatalf("written again: %v %v %v", m, len(g), err)
		}
	})
}
