//go:build unix

package storage

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"flotilla/consensus"
	"flotilla/storage/conformance"

	"go.etcd.io/raft/v3/raftpb"
)

// cpu returns the processor time of this process, in all its threads.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// reportCPU runs the loop and reports the processor time of each of its operations.
func reportCPU(b *testing.B, perTurn int, run func()) {
	before := cpu(b)
	run()
	spent := cpu(b) - before
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/1000, "cpu-us/turn")
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*perTurn)/1000, "cpu-us/op")
}

func benchDisk(b *testing.B) *Disk {
	d := mustOpen(b, b.TempDir(), Options{BallastBytes: -1})
	must(b, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	b.Cleanup(func() { must(b, d.Close()) })
	return d
}

// BenchmarkAppend syncs one entry a turn, of n commands of 320 bytes.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := benchDisk(b)
			data := make([]byte, n*320)
			b.ResetTimer()
			reportCPU(b, n, func() {
				writes := []consensus.Write{{Group: 1}}
				for i := range b.N {
					e := conformance.Entries(1, uint64(i+1), uint64(i+1))
					e[0].Data = data
					writes[0].Entries = []*raftpb.Entry{e[0]}
					must(b, d.Append(writes))
					d.Cut(1, uint64(i))
				}
			})
		})
	}
}

// BenchmarkApply writes n values of 256 bytes an entry, over 100,000 keys, each
// after a look at the old one. The flushes to Pebble are part of it.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := benchDisk(b)
			s := d.State(1)
			value := make([]byte, 256)
			for i := range value {
				value[i] = byte(i * 7)
			}
			random := newRand(1)
			key := make([]byte, 0, 32)
			b.ReportAllocs()
			b.ResetTimer()
			reportCPU(b, n, func() {
				for i := range b.N {
					for range n {
						key = fmt.Appendf(key[:0], "key:%012d", random.IntN(100_000))
						s.Get(key)
						s.Set(key, value)
					}
					s.Commit(consensus.Mark{Index: uint64(i + 1), Term: 1})
				}
			})
		})
	}
}
