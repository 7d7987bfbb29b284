//go:build linux

package queue

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var backlog = flag.Int("backlog", 20_000, "how many messages TestBacklogCostsNothing has wait; 10000000 takes some minutes and 5 GB of disk")

// steps has what whole jobs cost, each step by itself.
type steps [3]work

var stepNames = [3]string{"send", "receive", "delete"}

// jobs does jobs of one message each, so many an entry, and returns what the steps of one cost.
func (w *works) jobs(entries, each int) (per steps) {
	runtime.LockOSThread() // what others do meanwhile, such as compactions of the backlog, is not part of a job
	defer runtime.UnlockOSThread()
	var handles []string
	for range entries {
		w.time += 5
		for i, step := range []func(){
			func() { w.send("q", each, 1) }, func() { handles = w.receive("q", each, 1) }, func() { w.delete("q", handles, 1) },
		} {
			before := threadCPU()
			one := w.measure(step)
			one.cpu = threadCPU() - before
			per[i].gets += one.gets
			per[i].sets += one.sets + one.deletes
			per[i].scans += one.scans
			per[i].bytes += one.bytes
			per[i].cpu += one.cpu
		}
	}
	return per
}

// TestBacklogCostsNothing does the same jobs on an empty queue, and on one with a backlog,
// whose messages lie on disk. The state is asked for no more, writes no more, nothing is
// scanned; memory stays bounded, and a restart is short. Times are only told: they are those
// of a machine that does other things too.
func TestBacklogCostsNothing(t *testing.T) {
	const entries, each = 100, 16
	dir := t.TempDir()
	w := newWorks(t, dir)
	w.create("q")
	w.jobs(10, each)
	empty := w.jobs(entries, each)
	begin := time.Now()
	for sent := 0; sent < *backlog; sent += 1000 {
		w.time += 10
		w.send("q", 100, 10)
	}
	t.Logf("sent %d messages in %v", *backlog, time.Since(begin).Round(time.Millisecond))
	w.disk.Flush()
	w.jobs(10, each)
	full := w.jobs(entries, each)
	for i, name := range stepNames {
		a, b, jobs := empty[i], full[i], entries*each
		t.Logf("%-8s empty: %.2f gets %.2f writes %.0f bytes %v    full: %.2f gets %.2f writes %.0f bytes %v", name,
			float64(a.gets)/float64(jobs), float64(a.sets)/float64(jobs), float64(a.bytes)/float64(jobs), a.cpu/time.Duration(jobs),
			float64(b.gets)/float64(jobs), float64(b.sets)/float64(jobs), float64(b.bytes)/float64(jobs), b.cpu/time.Duration(jobs))
		if isMore(b.gets, a.gets) || isMore(b.sets, a.sets) || isMore(b.bytes, a.bytes) || b.scans > 0 {
			t.Errorf("%s costs more with a backlog: %+v, without %+v", name, b, a)
		}
	}
	debug.FreeOSMemory()
	resident := residentBytes(t)
	t.Logf("%d MiB are resident", resident>>20)
	if resident > 1<<30 {
		t.Errorf("%d MiB are resident", resident>>20)
	}
	w.close()
	begin = time.Now()
	w = newWorks(t, dir)
	w.jobs(1, each)
	took := time.Since(begin)
	t.Logf("open again, and the first jobs: %v", took.Round(time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("the restart took %v", took)
	}
	w.close()
}

// threadCPU returns the processor time of the thread that asks.
func threadCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_THREAD, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// isMore reports whether something costs more than a fifth more.
func isMore(now, before int) bool { return now*10 > before*12+100 }

// residentBytes returns how much memory the process has.
func residentBytes(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
