package powercut

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAFullDisk: nothing grows, what is there can be read and written over, and what is
// removed makes room.
func TestAFullDisk(t *testing.T) {
	f := mount(t, Options{})
	old, ballast := filepath.Join(f.Dir(), "old"), filepath.Join(f.Dir(), "ballast")
	if err := errors.Join(os.WriteFile(old, make([]byte, 1000), 0o600), os.WriteFile(ballast, make([]byte, 500), 0o600)); err != nil {
		t.Fatal(err)
	}
	f.SetFaults(Faults{IsFull: true})
	file, err := os.OpenFile(old, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write := func(what string, at int64, bytes int, want error) {
		t.Helper()
		if _, err := file.WriteAt(make([]byte, bytes), at); !errors.Is(err, want) {
			t.Errorf("%s: %v, expected %v", what, err, want)
		}
	}
	write("over what is there", 0, 1000, nil)
	write("beyond it", 1000, 1, syscall.ENOSPC)
	if err := file.Truncate(1001); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("growing by zeros: %v", err)
	}
	if err := syscall.Fallocate(int(file.Fd()), 0, 0, 1001); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("reserving room: %v", err)
	}
	if free := freeBytes(t, f.Dir()); free != 0 {
		t.Errorf("%d bytes are said to be free", free)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	write("into the room of what was removed", 1000, 500, nil)
	write("beyond that", 1500, 1, syscall.ENOSPC)
	f.SetFaults(Faults{})
	write("when there is room again", 1500, 1<<20, nil)
	if freeBytes(t, f.Dir()) == 0 {
		t.Error("no room is said to be free")
	}
}

func freeBytes(t *testing.T, dir string) uint64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	return s.Bavail * uint64(s.Bsize)
}

func TestASlowDisk(t *testing.T) {
	f := mount(t, Options{})
	file, err := os.Create(filepath.Join(f.Dir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const delay = 200 * time.Millisecond
	f.SetFaults(Faults{LeastDelay: delay, MostDelay: delay})
	began := time.Now()
	if _, err := file.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil || time.Since(began) < delay {
		t.Errorf("a sync took %v, error %v", time.Since(began), err)
	}
}

// TestAProcessCutsItsOwnPower: at the moment that it looks for the trigger, if that was
// wished, and once.
func TestAProcessCutsItsOwnPower(t *testing.T) {
	f := mount(t, Options{})
	path, trigger := filepath.Join(f.Dir(), "f"), filepath.Join(f.Dir(), Trigger)
	write := func() {
		t.Helper()
		if err := os.WriteFile(path, []byte("not synced"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	look := func(want error) {
		t.Helper()
		if _, err := os.Stat(trigger); !errors.Is(err, want) {
			t.Errorf("looking for the trigger: %v, expected %v", err, want)
		}
	}
	look(os.ErrNotExist)
	f.CutWhenAsked(nil)
	f.Forgive()
	look(os.ErrNotExist)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("without a cut: %v", err)
	}
	f.CutWhenAsked(nil)
	look(syscall.EIO)
	f.Restore()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the cut the file is there: %v", err)
	}
	write()
	look(os.ErrNotExist)
	if cuts := f.Stats().Cuts; cuts != 1 {
		t.Errorf("%d cuts", cuts)
	}
}
