package powercut

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestIsLikeAnyOtherFileSystem does the same random things here and in a folder of
// the machine's own file system, and wants the same answers. When all was synced, a
// cut loses nothing; and what it does lose, it frees.
func TestIsLikeAnyOtherFileSystem(t *testing.T) {
	f := mount(t, Options{})
	for seed := range uint64(40) {
		ours, theirs := f.Dir(), t.TempDir()
		chance := rand.New(rand.NewPCG(seed, 0))
		for range 150 {
			act := randomAct(chance)
			if a, b := fmt.Sprint(errno(act.do(ours))), fmt.Sprint(errno(act.do(theirs))); a != b {
				t.Fatalf("seed %d: %s: %s here, %s elsewhere", seed, act.name, a, b)
			}
		}
		want := mustTree(t, theirs)
		sameTree(t, seed, "before the cut", ours, want)
		syncAll(t, ours)
		for range 50 { // what is changed now is lost
			_ = randomAct(chance).do(ours) // whether it can be done does not matter
		}
		cut(t, f)
		sameTree(t, seed, "after the cut", ours, want)
		checkNothingLeaks(t, f, ours)
		removeAll(t, ours)
	}
}

func cut(t *testing.T, f *FS) {
	t.Helper()
	if err := f.Cut(); err != nil {
		t.Fatal(err)
	}
	f.Restore()
}

type act struct {
	name string
	do   func(dir string) error
}

// randomAct chooses among few names, so that they get into each other's way.
func randomAct(chance *rand.Rand) act {
	names := []string{"a", "b", "a/c", "a/d", "b/c", "a/c/e", "b/c/e"}
	one, other := names[chance.IntN(len(names))], names[chance.IntN(len(names))]
	number := chance.Int64N(10_000)
	switch chance.IntN(10) {
	case 0, 1:
		return act{"mkdir " + one, func(dir string) error { return os.Mkdir(filepath.Join(dir, one), 0o755) }}
	case 2, 3, 4:
		return act{fmt.Sprintf("write %s at %d", one, number), func(dir string) error {
			return withFile(filepath.Join(dir, one), 0, func(file *os.File) error {
				_, err := file.WriteAt([]byte(fmt.Sprint(number)), number)
				return err
			})
		}}
	case 5:
		return act{fmt.Sprintf("truncate %s to %d", one, number), func(dir string) error { return os.Truncate(filepath.Join(dir, one), number) }}
	case 6:
		return act{"unlink " + one, func(dir string) error { return syscall.Unlink(filepath.Join(dir, one)) }}
	case 7:
		return act{"rmdir " + one, func(dir string) error { return syscall.Rmdir(filepath.Join(dir, one)) }}
	case 8:
		return act{"link " + one + " " + other, func(dir string) error { return os.Link(filepath.Join(dir, one), filepath.Join(dir, other)) }}
	default:
		return act{"rename " + one + " " + other, func(dir string) error {
			return syscall.Rename(filepath.Join(dir, one), filepath.Join(dir, other))
		}}
	}
}

func mustTree(t *testing.T, dir string) string {
	t.Helper()
	text, err := tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sameTree(t *testing.T, seed uint64, when, dir, want string) {
	t.Helper()
	if got := mustTree(t, dir); got != want {
		t.Fatalf("seed %d: %s there is\n%.2000s\nwant\n%.2000s", seed, when, got, want)
	}
}

func syncAll(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncDir(path) // files alike
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkNothingLeaks compares what the image holds after a cut with what can be seen.
func checkNothingLeaks(t *testing.T, f *FS, dir string) {
	t.Helper()
	seen := map[uint64]bool{rootID: true}
	withBytes := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(path, &s); err != nil {
			return err
		}
		if !seen[s.Ino] && !entry.IsDir() && s.Size > 0 {
			withBytes++
		}
		seen[s.Ino] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadDir(f.backing)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.image.nodes) != len(seen) || len(f.image.pending) > 0 || len(f.image.dirty) > 0 || f.image.bytes != 0 {
		t.Fatalf("%d nodes, %d can be seen; %d pending names, %d dirty files, %d pending bytes",
			len(f.image.nodes), len(seen), len(f.image.pending), len(f.image.dirty), f.image.bytes)
	}
	if len(stored) < withBytes || len(stored) > len(seen) {
		t.Fatalf("the backing folder has %d files for %d", len(stored), withBytes)
	}
}

func removeAll(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"a", "b"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	syncAll(t, dir)
}
