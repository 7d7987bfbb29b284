package storage

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// When nothing changes any more, what waits is written, and memory is given back:
// within a minute, and once for each quiet time.
func TestMemoryIsGivenBackInAQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := testOptions(t, vfs.NewCrashableMem())
		var times atomic.Int64
		opts.Quiet = func() { times.Add(1) }
		d := mustOpen(t, "node", opts)
		must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
		s := d.State(1).(*groupState)
		for round := range 2 {
			for range 30 { // busy for longer than changes wait
				<-time.After(5 * time.Second)
				s.Set([]byte("a"), []byte("1"))
				s.Commit(consensus.Mark{Index: s.Mark().Index + 1, Term: 1})
			}
			if quiet := int(times.Load()); quiet != round {
				t.Fatalf("round %d: memory was given back %d times, under load too", round, quiet)
			}
			<-time.After(59 * time.Second)
			synctest.Wait()
			quiet := int(times.Load())
			if s.Durable() != s.Mark().Index || s.layers.Load().clean != nil || quiet != round+1 {
				t.Fatalf("round %d: durable up to %d of %d, clean %v, given back %d times", round,
					s.Durable(), s.Mark().Index, s.layers.Load().clean != nil, quiet)
			}
			<-time.After(time.Hour)
			synctest.Wait()
			if quiet := int(times.Load()); quiet != round+1 {
				t.Fatalf("given back %d times in %d quiet times", quiet, round+1)
			}
		}
		must(t, d.Close())
	})
}

// What was flushed must not stay in memory: it is as large as all that was written
// in a minute.
func TestFlushedBatchIsGivenBack(t *testing.T) {
	for _, value := range []int{4 << 10, 256 << 10} { // of the larger ones a block has all
		const size = 24 << 20
		opts := testOptions(t, vfs.Default)
		opts.TailBytes = 1
		d := mustOpen(t, t.TempDir(), opts)
		must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
		before := heapBytes()
		s := d.State(1)
		for i := range size / value {
			s.Set(binary.BigEndian.AppendUint32(nil, uint32(i)), make([]byte, value))
		}
		s.Get(binary.BigEndian.AppendUint32(nil, uint32(size/value-1))) // what was looked up last must not keep all the rest
		s.Commit(consensus.Mark{Index: 1, Term: 1})
		d.Flush()
		d.forgetClean()
		if after := heapBytes(); after > before+size/4 {
			t.Errorf("%d MB are left of %d, in values of %d bytes", (after-before)>>20, size>>20, value)
		}
		must(t, d.Close())
	}
}

// heapBytes returns what the heap holds that is in use.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // the first empties pools into their second halves
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
