//go:build unix

package queue

import (
	"fmt"
	"iter"
	"strings"
	"syscall"
	"testing"
	"time"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage"
)

// works drives the machine on a state that lies on a real disk, and counts what it
// asks the state for.
type works struct {
	t     testing.TB
	disk  *storage.Disk
	state *countedState
	index uint64
	time  flotilla.Millis
	wake  flotilla.Millis
}

// countedState counts what a machine asks a state for.
type countedState struct {
	consensus.State
	gets, sets, deletes, scans, bytes int
}

func (s *countedState) Get(key []byte) ([]byte, bool) {
	s.gets++
	return s.State.Get(key)
}

func (s *countedState) Set(key, value []byte) {
	s.sets++
	s.bytes += len(key) + len(value)
	s.State.Set(key, value)
}

func (s *countedState) Delete(key []byte) {
	s.deletes++
	s.bytes += len(key)
	s.State.Delete(key)
}

func (s *countedState) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	s.scans++
	return s.State.Scan(start, end)
}

// work is how much was done: what the state was asked for, and processor time.
type work struct {
	gets, sets, deletes, scans, bytes int
	cpu                               time.Duration
}

func newWorks(t testing.TB, dir string) *works {
	disk, err := storage.Open(dir, storage.Options{BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	if len(disk.Groups()) == 0 {
		if err := disk.Create(consensus.Replica{Group: 1, ID: 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	state := disk.State(1)
	mark := state.Mark()
	return &works{t: t, disk: disk, state: &countedState{State: state}, index: mark.Index, time: max(mark.Time, 1_700_000_000_000),
		wake: Machine{}.Deadline(state)}
}

func (w *works) close() {
	if err := w.disk.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// entry applies one entry and returns its replies.
func (w *works) entry(commands ...[]byte) (replies [][]byte) {
	w.index++
	tx := &flotilla.Tx{State: w.state, Group: 1, Index: w.index, Time: w.time, Emit: func(flotilla.Event) {}}
	if w.wake <= w.time {
		w.wake = flotilla.Never
		Machine{}.Begin(tx)
	}
	for i, command := range commands {
		tx.Ordinal = i + 1
		replies = append(replies, append([]byte{}, Machine{}.Apply(tx, command)...))
	}
	Machine{}.End(tx)
	w.wake = min(w.wake, tx.TakeWake())
	w.state.Commit(consensus.Mark{Index: w.index, Term: 1, Time: w.time})
	return replies
}

func (w *works) create(name string) {
	w.entry(Encode(nil, &CreateQueue{QueueName: name, Secret: []byte(strings.Repeat("s", 32))}))
}

// round is an entry of as many commands of one kind as were given, each of which is
// for batch messages.
func (w *works) send(name string, commands, batch int) {
	body := []byte(strings.Repeat("0123456789abcdef", 16))
	entries := make([]SendEntry, batch)
	for i := range entries {
		entries[i] = SendEntry{MessageBody: body, DelaySeconds: -1, SenderID: "AIDAEXAMPLE"}
	}
	all := make([][]byte, commands)
	for i := range all {
		all[i] = Encode(nil, &SendMessageBatch{QueueName: name, Entries: entries})
	}
	w.entry(all...)
}

func (w *works) receive(name string, commands, batch int) (handles []string) {
	all := make([][]byte, commands)
	for i := range all {
		all[i] = Encode(nil, &ReceiveMessage{QueueName: name, MaxNumberOfMessages: int64(batch), VisibilityTimeout: -1})
	}
	for _, reply := range w.entry(all...) {
		var r Received
		if err := DecodeReply(reply, &r); err != nil {
			w.t.Fatal(err)
		}
		if len(r.Messages) != batch {
			w.t.Fatalf("received %d messages of %d", len(r.Messages), batch)
		}
		for _, m := range r.Messages {
			handles = append(handles, m.ReceiptHandle)
		}
	}
	return handles
}

func (w *works) delete(name string, handles []string, batch int) {
	var all [][]byte
	for len(handles) > 0 {
		var entries []DeleteEntry
		for _, h := range handles[:batch] {
			entries = append(entries, DeleteEntry{ReceiptHandle: h})
		}
		handles = handles[batch:]
		all = append(all, Encode(nil, &DeleteMessageBatch{QueueName: name, Entries: entries}))
	}
	w.entry(all...)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure returns what run cost.
func (w *works) measure(run func()) work {
	before, cpu := *w.state, cpuTime()
	run()
	after := *w.state
	return work{gets: after.gets - before.gets, sets: after.sets - before.sets, deletes: after.deletes - before.deletes,
		scans: after.scans - before.scans, bytes: after.bytes - before.bytes, cpu: cpuTime() - cpu}
}

// BenchmarkJob sends, receives and deletes messages of 256 bytes, each step an entry
// of so many commands of so many messages.
func BenchmarkJob(b *testing.B) {
	for _, c := range []struct{ commands, batch int }{{1, 1}, {16, 1}, {64, 1}, {64, 10}} {
		b.Run(fmt.Sprintf("commands=%d/batch=%d", c.commands, c.batch), func(b *testing.B) {
			w := newWorks(b, b.TempDir())
			defer w.close()
			w.create("q")
			var sum [3]work
			b.ReportAllocs()
			jobs := 0
			for b.Loop() {
				var handles []string
				for i, step := range []func(){
					func() { w.send("q", c.commands, c.batch) },
					func() { handles = w.receive("q", c.commands, c.batch) },
					func() { w.delete("q", handles, c.batch) },
				} {
					w.time++
					one := w.measure(step)
					sum[i].gets += one.gets
					sum[i].sets += one.sets
					sum[i].deletes += one.deletes
					sum[i].bytes += one.bytes
					sum[i].cpu += one.cpu
				}
				jobs += c.commands * c.batch
			}
			for i, name := range []string{"send", "receive", "delete"} {
				per := func(n int) float64 { return float64(n) / float64(jobs) }
				b.ReportMetric(per(sum[i].gets), name+"-gets")
				b.ReportMetric(per(sum[i].sets+sum[i].deletes), name+"-sets")
				b.ReportMetric(per(sum[i].bytes), name+"-bytes")
				b.ReportMetric(per(int(sum[i].cpu))/1000, name+"-us")
			}
		})
	}
}
