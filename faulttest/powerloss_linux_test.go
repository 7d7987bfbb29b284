package faulttest

import (
	"errors"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"flotilla/check"
	"flotilla/lab"
	"flotilla/lab/labtest"
	"flotilla/lab/powercut"
)

// TestAFleetSurvivesPowerLoss cuts the power of a machine with a whole `flotilla up`,
// the supervisor and its files among it. Package lab cuts that of single nodes.
func TestAFleetSurvivesPowerLoss(t *testing.T) {
	f, disk := fleetOnPowerCutDisk(t, labtest.Program(t))
	l := f.losePower(disk)
	f.WaitReady("the fleet after the power cut")
	l.finish(f.Addresses()[0])
	if s := disk.Stats(); s.DroppedBytes == 0 || s.EarlyBytes > 0 {
		t.Errorf("%+v: nothing was lost, or too kindly", s)
	}
}

// TestFilesBesideTheStores plants bugs into how a node's small files are written, and
// wants a power cut to show each.
func TestFilesBesideTheStores(t *testing.T) {
	if !*isLong {
		return // no skipped test: where all tools are at hand, CI wants none
	}
	for name, c := range map[string]struct {
		right, wrong string
		symptom      *regexp.Regexp
	}{
		"the node's folder has no durable name":          {"return syncDir(above)", "return nil", regexp.MustCompile("an acknowledged write is lost")},
		"small files are renamed before they are synced": {"err = file.Sync()", "err = nil", regexp.MustCompile("unexpected end")},
	} {
		t.Run(name, func(t *testing.T) {
			bug := labtest.Bug{File: "supervisor/files.go", Right: c.right, Wrong: c.wrong}
			f, disk := fleetOnPowerCutDisk(t, labtest.Planted(t, bug))
			l := f.losePower(disk)
			said := func() string {
				text := f.Process.Out.String()
				logs, _ := filepath.Glob(filepath.Join(f.Dir, "n*", "node.log"))
				for _, log := range logs {
					text += string(readLog(t, filepath.Dir(log)))
				}
				if o, err := f.Try(); err == nil && len(o.Missing()) == 0 {
					var result lab.Result
					l.Judge(&result, l.readFinal(f.Addresses()[0]))
					text += result.String()
				}
				return text
			}
			labtest.Eventually(t, time.Minute, "the bug to show", func() bool { return c.symptom.MatchString(said()) }, said)
		})
	}
}

// fleetOnPowerCutDisk starts a fleet in folders that it has to make itself, on a file
// system that forgets.
func fleetOnPowerCutDisk(t *testing.T, program string) (*fleet, *powercut.FS) {
	t.Helper()
	disk, err := powercut.Mount(t.TempDir(), filepath.Join(t.TempDir(), "backing"), powercut.Options{PendingBytes: 1 << 30})
	if errors.Is(err, powercut.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disk.Unmount(); err != nil {
			t.Error(err)
		}
	})
	f := &fleet{labtest.NewFleet(t, program, filepath.Join(disk.Dir(), "my", "fleet"), 3)}
	f.Begin()
	f.WaitReady("the new fleet")
	return f, disk
}

// losePower cuts the power under load, and starts the fleet again when it is back. The
// load has ended.
func (f *fleet) losePower(disk *powercut.FS) *load {
	f.T.Helper()
	l := startLoad(f.T, f.Addresses(), 6)
	labtest.Eventually(f.T, 20*time.Second, "writes to be acknowledged", func() bool { return acknowledged(l) >= 300 }, l.Counts)
	if err := disk.Cut(); err != nil {
		f.T.Fatal(err)
	}
	f.Process.Kill()
	l.Stop()
	labtest.Eventually(f.T, 20*time.Second, "the kernel to end the nodes", f.IsOffMachine, nil)
	disk.Restore()
	f.Begin()
	return l
}

func acknowledged(l *load) (count int) {
	for _, o := range l.Recorder.History() {
		if o.Outcome == check.Known && isWrite(o) {
			count++
		}
	}
	return count
}
