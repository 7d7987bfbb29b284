package storage

import (
	"testing"

	"flotilla/consensus"
	"flotilla/storage/conformance"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// testOptions keeps everything small and turns an exit into a test failure.
func testOptions(t *testing.T, fs vfs.FS) Options {
	return Options{
		FS: fs, BallastBytes: -1, CutEntries: 1, TailBytes: 100,
		LogSegmentBytes: 1500, LogFillBytes: 300,
		Exit: func(err error) { t.Errorf("exit: %v", err) },
	}
}

func mustOpen(t testing.TB, dir string, opts Options) *Disk {
	t.Helper()
	d, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// crashHarness runs Pebble on a file system that forgets what was not synced.
func crashHarness(percent int) func(t *testing.T) *conformance.Harness {
	return func(t *testing.T) *conformance.Harness {
		fs := vfs.NewCrashableMem()
		var disk *Disk
		return &conformance.Harness{
			Open: func(t *testing.T) consensus.Disk {
				disk = mustOpen(t, "node", testOptions(t, fs))
				return disk
			},
			Crash: func(t *testing.T) {
				fs = crash(disk, fs, percent)
			},
			Flush: func(*testing.T) { disk.Flush() },
		}
	}
}

// crash takes what a power cut would leave and closes the disk that was cut off.
func crash(d *Disk, fs *vfs.MemFS, percent int) *vfs.MemFS {
	left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: newRand(1)})
	_ = d.Close() // it is dead: only its goroutines matter
	return left
}

func TestConformancePebbleForgets(t *testing.T) { conformance.Run(t, crashHarness(0)) }

func TestConformancePebbleKeeps(t *testing.T) { conformance.Run(t, crashHarness(100)) }

func TestConformancePebble(t *testing.T) {
	conformance.Run(t, func(t *testing.T) *conformance.Harness {
		dir := t.TempDir()
		var disk *Disk
		return &conformance.Harness{
			Open: func(t *testing.T) consensus.Disk {
				disk = mustOpen(t, dir, testOptions(t, nil))
				return disk
			},
			Crash: func(t *testing.T) {
				if err := disk.Close(); err != nil {
					t.Fatal(err)
				}
			},
			Flush: func(*testing.T) { disk.Flush() },
		}
	})
}
