package storage

import (
	"errors"
	"testing"

	"flotilla/consensus"
	"flotilla/storage/conformance"
)

func memoryHarness(keep int) func(t *testing.T) *conformance.Harness {
	return func(*testing.T) *conformance.Harness {
		disk := NewMemory(MemoryOptions{})
		return &conformance.Harness{
			Open: func(*testing.T) consensus.Disk {
				disk = disk.Restart(MemoryOptions{}, keep)
				return disk
			},
			Crash: func(*testing.T) {},
			Flush: func(*testing.T) { disk.Flush() },
		}
	}
}

func TestConformanceMemoryForgets(t *testing.T)  { conformance.Run(t, memoryHarness(0)) }
func TestConformanceMemoryKeepsOne(t *testing.T) { conformance.Run(t, memoryHarness(1)) }
func TestConformanceMemoryKeeps(t *testing.T)    { conformance.Run(t, memoryHarness(-1)) }

// A crash before the append leaves nothing of it, one after it leaves all of it,
// and neither is acknowledged.
func TestMemoryCrashesAtBoundaries(t *testing.T) {
	for at, want := range map[Boundary]uint64{BeforeAppend: 2, AfterAppend: 4} {
		isArmed := false
		m := NewMemory(MemoryOptions{Crash: func(b Boundary) bool { return isArmed && b == at }})
		must(t, m.Create(consensus.Replica{Group: 1, ID: 1}, []consensus.KeyValue{{Key: []byte("a")}}))
		must(t, m.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 2, 2)}}))
		isArmed = true
		err := m.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 3, 4)}})
		if !errors.Is(err, ErrCrashed) || !errors.Is(m.Append(nil), ErrCrashed) {
			t.Fatalf("%s: %v", at, err)
		}
		last, _ := m.Restart(MemoryOptions{}, 0).Log(1).LastIndex()
		if last != want {
			t.Fatalf("%s: the log ends at %d, not %d", at, last, want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
