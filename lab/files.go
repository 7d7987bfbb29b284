package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"

	"flotilla/scenario"
	"flotilla/storage/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// dataDir is where a node's data lies below its folder.
const dataDir = "data"

// wipe replaces the disk of a node that is down by an empty one. What the node has
// printed stays: the supervisor writes it.
func wipe(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("wipe a node: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "node.log") {
			continue
		}
		if e.Name() == dataDir { // it may be a file system of its own: it stays, empty
			errs = append(errs, empty(filepath.Join(folder, dataDir)))
			continue
		}
		errs = append(errs, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	return errors.Join(errs...)
}

// empty empties a folder so that it stays empty also when the power is cut next.
func empty(folder string) error {
	entries, err := os.ReadDir(folder)
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	return errors.Join(append(errs, syncFolder(folder))...)
}

func syncFolder(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// damage changes the newest file of a kind in place, since a node that runs has it
// open, and returns what change says of it, with the file's name.
func damage(folder string, kind scenario.File, change func(file *os.File, size int64) (string, error)) (string, error) {
	data := filepath.Join(folder, dataDir)
	name, err := newest(data, kind.Path())
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(filepath.Join(data, name), os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("damage a file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("damage %s: %w", name, err)
	}
	size := info.Size()
	if end, err := wal.End(vfs.Default, filepath.Join(data, name)); kind == scenario.WAL && err == nil && end > 0 {
		size = end // what lies beyond was written for an earlier log, and is never read
	}
	if size == 0 {
		return name + " is empty: nothing to damage", nil
	}
	said, err := change(file, size)
	if err = errors.Join(err, file.Sync()); err != nil {
		return "", fmt.Errorf("damage %s: %w", name, err)
	}
	return fmt.Sprintf("%s of %d bytes: %s", name, size, said), nil
}

// flip turns over bits, and says which.
func flip(bits int, chance *rand.Rand) func(*os.File, int64) (string, error) {
	return func(file *os.File, size int64) (string, error) {
		var at []string
		for range bits {
			bit := chance.Int64N(8 * size)
			var b [1]byte
			if _, err := file.ReadAt(b[:], bit/8); err != nil {
				return "", err
			}
			b[0] ^= 1 << (bit % 8)
			if _, err := file.WriteAt(b[:], bit/8); err != nil {
				return "", err
			}
			at = append(at, fmt.Sprintf("%d.%d", bit/8, bit%8))
		}
		return "flipped " + strings.Join(at, " "), nil
	}
}

// clearLast puts zeros in the place of the last bytes that are not zero: what comes
// after these was reserved, and never written.
func clearLast(bytes int) func(*os.File, int64) (string, error) {
	return func(file *os.File, size int64) (string, error) {
		content := make([]byte, size)
		if _, err := file.ReadAt(content, 0); err != nil {
			return "", err
		}
		end := len(content)
		for end > 0 && content[end-1] == 0 {
			end--
		}
		from := max(end-bytes, 0)
		_, err := file.WriteAt(make([]byte, end-from), int64(from))
		return fmt.Sprintf("cleared %d to %d", from, end), err
	}
}

// newest returns the file below a folder that was changed last of those of a pattern.
func newest(data, pattern string) (string, error) {
	folder := filepath.Join(data, filepath.FromSlash(path.Dir(pattern)))
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", pattern, err)
	}
	best := ""
	var found fs.FileInfo
	for _, e := range entries {
		isMeant, err := path.Match(path.Base(pattern), e.Name())
		if err != nil || !isMeant {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it is gone meanwhile
		}
		if best == "" || info.ModTime().After(found.ModTime()) {
			best, found = path.Join(path.Dir(pattern), e.Name()), info
		}
	}
	if best == "" {
		return "", fmt.Errorf("look for %s: %w", pattern, fs.ErrNotExist)
	}
	return best, nil
}
