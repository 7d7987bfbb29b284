package faulttest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"flotilla/supervisor"
)

var (
	dataSize   = flag.String("data", "", "how much data TestDataBeyondMemory writes, such as 10GB (default: little, for a short test)")
	memorySize = flag.String("memory", "1GB", "how much memory a node may use then")
)

// sizeOf reads a size such as 10GB or 64MiB.
func sizeOf(t *testing.T, text string) int64 {
	t.Helper()
	for unit, factor := range map[string]float64{"MiB": 1 << 20, "GiB": 1 << 30, "MB": 1e6, "GB": 1e9} {
		var number float64
		if _, err := fmt.Sscanf(text, "%f"+unit, &number); err == nil && strings.HasSuffix(text, unit) {
			return int64(number * factor)
		}
	}
	t.Fatalf("%q is no size: write it as 10GB or 512MiB", text)
	return 0
}

// shortBound is what a node may have in memory at most when it is told to try to
// stay under 64 MiB: the program itself and what is on its way take more than that
// allows, but it must be far below the data.
const shortBound = 144 << 20

// TestDataBeyondMemory has a fleet hold more data than its nodes may have in
// memory: it takes, finds, lists and keeps everything all the same.
func TestDataBeyondMemory(t *testing.T) {
	data, memory, bound := int64(160e6), "64MiB", int64(shortBound)
	if *dataSize != "" {
		data, memory = sizeOf(t, *dataSize), *memorySize
		bound = sizeOf(t, memory)
	}
	f := startFleet(t, "--memory", memory)
	d := dataset{name: "bulk", minBytes: 32 << 10, maxBytes: 64 << 10}
	d.keys = int(data / ((32 + 64) << 9))
	addresses := f.Addresses()
	f.step("load", bound, func() { d.load(t, addresses, 0, d.keys, 8) })
	f.step("read a sample", bound, func() { d.verify(t, addresses, 0, d.keys, 1+d.keys/1000, false) })
	f.step("scan", bound, func() { d.scan(t, addresses[1]) })

	f.Fault(supervisor.Kill, 2)
	began := time.Now()
	f.Fault(supervisor.Restart, 2)
	f.WaitReady("the fleet after the restart of n2")
	took := time.Since(began)
	t.Logf("n2 was back %v after its restart", took.Round(time.Millisecond))
	if took > 15*time.Second {
		t.Errorf("n2 needed %v to come back: a restart must take seconds, however much data there is", took)
	}
	f.waitEqual(30 * time.Second)
	step := 1
	if d.keys > 10_000 {
		step = 1 + d.keys/10_000
	}
	f.step("read from n2's copy", bound, func() { d.verify(t, addresses[1:2], 0, d.keys, step, true) })
	f.step("read", bound, func() { d.verify(t, addresses, 0, d.keys, step, false) })
}

// step does something, and demands that the nodes' memory stayed below bound.
func (f *fleet) step(name string, bound int64, do func()) {
	f.T.Helper()
	began := time.Now()
	do()
	o := f.Status()
	for _, n := range o.Nodes {
		now, most := residentMemory(f.T, n.PID)
		s, err := ask(n.HTTPAddr)
		if err != nil {
			f.T.Fatal(err)
		}
		f.T.Logf("%s (%v): %s has %d MiB in memory, at most %d MiB so far; on disk: log %d MiB, state %d MiB", name,
			time.Since(began).Round(time.Millisecond), n.Name, now>>20, most>>20, s.Disk.LogBytes>>20, s.Disk.StateBytes>>20)
		if most > bound {
			f.T.Errorf("%s had %d MiB in memory, more than %d MiB", n.Name, most>>20, bound>>20)
		}
	}
}

// residentMemory returns the bytes of a process that are in memory, and the most
// that ever were; zero where the system does not tell.
func residentMemory(t *testing.T, pid int) (now, most int64) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0, 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &now) // other lines do not match
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &most)
	}
	if now == 0 || most == 0 {
		t.Fatalf("no VmRSS and VmHWM of process %d", pid)
	}
	return now << 10, most << 10
}
