package powercut

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// mount mounts a file system for a test, or skips the test where that can not be.
func mount(t *testing.T, opts Options) *FS {
	t.Helper()
	dir := t.TempDir()
	f, err := Mount(dir, filepath.Join(t.TempDir(), "backing"), opts)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestWhatACutForgets plays testdata/cuts/*.txt: each block is a new file system, and what
// it prints is what the steps of the block show.
func TestWhatACutForgets(t *testing.T) {
	datadriven.Walk(t, "testdata/cuts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			t.Run(d.Cmd, func(t *testing.T) {
				f := mount(t, Options{})
				for line := range strings.Lines(d.Input) {
					if err := step(f, &out, strings.Fields(line)); err != nil {
						fmt.Fprintf(&out, "%s: %v\n", strings.TrimSpace(line), errno(err))
					}
				}
			})
			if out.Len() == 0 {
				t.Skip("see above")
			}
			return out.String()
		})
	})
}

// errno leaves out the paths, which differ from run to run.
func errno(err error) error {
	var code syscall.Errno
	if errors.As(err, &code) {
		return code
	}
	return err
}

// step carries out a line of a script.
func step(f *FS, out *strings.Builder, words []string) error {
	path := func(i int) string { return filepath.Join(f.Dir(), words[i]) }
	number := func(i int) int64 {
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	switch words[0] {
	case "write": // NAME OFFSET TEXT
		return withFile(path(1), 0, func(file *os.File) error {
			_, err := file.WriteAt([]byte(words[3]), number(2))
			return err
		})
	case "write-dsync": // NAME OFFSET TEXT
		return withFile(path(1), syscall.O_DSYNC, func(file *os.File) error {
			_, err := file.WriteAt([]byte(words[3]), number(2))
			return err
		})
	case "truncate": // NAME SIZE
		return os.Truncate(path(1), number(2))
	case "fallocate": // NAME SIZE [keep]
		return withFile(path(1), 0, func(file *os.File) error {
			return syscall.Fallocate(int(file.Fd()), uint32(len(words)-3), 0, number(2))
		})
	case "fsync": // NAME
		return withFile(path(1), 0, (*os.File).Sync)
	case "fdatasync": // NAME
		return withFile(path(1), 0, func(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) })
	case "fsyncdir": // NAME
		return syncDir(path(1))
	case "mkdir":
		return os.Mkdir(path(1), 0o755)
	case "unlink":
		return syscall.Unlink(path(1))
	case "rmdir":
		return syscall.Rmdir(path(1))
	case "rename":
		return os.Rename(path(1), path(2))
	case "link":
		return os.Link(path(1), path(2))
	case "symlink": // TARGET NAME
		return os.Symlink(words[1], path(2))
	case "cut":
		defer f.Restore()
		return f.Cut()
	case "tear": // SEED
		defer f.Restore()
		return f.CutTorn(uint64(number(1)))
	case "show":
		text, err := tree(f.Dir())
		out.WriteString(text)
		return err
	}
	return fmt.Errorf("there is no step %q", words[0])
}

func withFile(path string, flags int, do func(*os.File) error) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|flags, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(do(file), file.Close())
}

func syncDir(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// tree describes all that is in a folder, one line each; zeros show as dots.
func tree(dir string) (string, error) {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		switch entry.Type() {
		case fs.ModeDir:
			lines = append(lines, name+"/")
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			lines = append(lines, name+" -> "+target)
			return err
		default:
			text, err := os.ReadFile(path)
			lines = append(lines, fmt.Sprintf("%s = %q", name, strings.ReplaceAll(string(text), "\x00", ".")))
			return err
		}
		return nil
	})
	if len(lines) == 0 {
		return "(empty)\n", err
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n", err
}
