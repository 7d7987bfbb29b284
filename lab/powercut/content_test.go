package powercut

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// naive is a file that keeps all its past: slow, and plainly right.
type naive struct {
	durable []byte
	states  [][]byte // after the sync, and after each change since
	changes []change
}

func (n *naive) live() []byte { return n.states[len(n.states)-1] }

func (n *naive) change(c change) {
	now := bytes.Clone(n.live())
	size := c.off + int64(len(c.data))
	if c.isResize {
		now = now[:min(int64(len(now)), size)]
	}
	now = append(now, make([]byte, max(size-int64(len(now)), 0))...)
	copy(now[min(c.off, int64(len(now))):], c.data)
	n.states, n.changes = append(n.states, now), append(n.changes, c)
}

func (n *naive) settle(durable []byte) {
	n.durable, n.states, n.changes = durable, [][]byte{durable}, nil
}

// couldBe reports whether a torn cut may leave this.
func (n *naive) couldBe(left []byte) bool {
	for i, state := range n.states {
		if bytes.Equal(left, state) {
			return true
		}
		if i == len(n.changes) || n.changes[i].isResize {
			continue
		}
		c := n.changes[i]
		for kept := sectorBytes - c.off%sectorBytes; kept < int64(len(c.data)); kept += sectorBytes {
			torn := naive{states: [][]byte{state}}
			torn.change(change{off: c.off, data: c.data[:kept]})
			if bytes.Equal(left, torn.live()) {
				return true
			}
		}
	}
	return false
}

// TestContentIsWhatANaiveFileIs compares bytes, and what cuts leave of them.
func TestContentIsWhatANaiveFileIs(t *testing.T) {
	dir, files := t.TempDir(), 0
	tornInside := 0 // cuts that left neither nothing nor everything
	rapid.Check(t, func(t *rapid.T) {
		files++
		c := &content{path: filepath.Join(dir, strconv.Itoa(files))}
		n := &naive{}
		n.settle(nil)
		mark := byte(0) // each write has its own byte
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				mark++
				data := bytes.Repeat([]byte{mark}, rapid.IntRange(1, 1500).Draw(t, "bytes"))
				off := rapid.Int64Range(0, 3000).Draw(t, "offset")
				c.write(off, data)
				n.change(change{off: off, data: data})
			},
			"resize": func(t *rapid.T) {
				size := rapid.Int64Range(0, 4000).Draw(t, "size")
				c.resize(size)
				n.change(change{off: size, isResize: true})
			},
			"sync": func(t *rapid.T) {
				if err := c.sync(); err != nil {
					t.Fatal(err)
				}
				n.settle(n.live())
			},
			"cut": func(t *rapid.T) {
				if _, err := c.cut(nil); err != nil {
					t.Fatal(err)
				}
				n.settle(n.durable)
			},
			"tear": func(t *rapid.T) {
				seed := rapid.Uint64().Draw(t, "seed")
				if _, err := c.cut(rand.New(rand.NewPCG(seed, 0))); err != nil {
					t.Fatal(err)
				}
				left := make([]byte, c.size)
				if _, err := c.readAt(left, 0); err != nil {
					t.Fatal(err)
				}
				if !n.couldBe(left) {
					t.Fatalf("a cut left %d bytes that no prefix explains", len(left))
				}
				if !bytes.Equal(left, n.durable) && !bytes.Equal(left, n.live()) {
					tornInside++
				}
				n.settle(left)
			},
			"": func(t *rapid.T) { sameBytes(t, c, n.live()) },
		})
		if err := c.remove(); err != nil {
			t.Fatal(err)
		}
	})
	if tornInside == 0 {
		t.Error("no cut tore anything: nothing was tested")
	}
}

// sameBytes reads all, and some range.
func sameBytes(t *rapid.T, c *content, want []byte) {
	got := make([]byte, 8000)
	size, err := c.readAt(got, 0)
	if err != nil || !bytes.Equal(got[:size], want) || c.size != int64(size) {
		t.Fatalf("read %d bytes, error %v, want %d", size, err, len(want))
	}
	off := rapid.Int64Range(0, 4000).Draw(t, "read at")
	part := make([]byte, rapid.IntRange(0, 2000).Draw(t, "bytes to read"))
	want = want[min(off, int64(len(want))):]
	if size, err := c.readAt(part, off); err != nil || !bytes.Equal(part[:size], want[:min(len(want), len(part))]) {
		t.Fatalf("read at %d: %d bytes, error %v", off, size, err)
	}
}
