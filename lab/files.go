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

// flip turns over bits in the newest file of a kind, and says which. It writes in
// place: a node that runs has the file open.
func flip(folder string, kind scenario.File, bits int, chance *rand.Rand) (string, error) {
	data := filepath.Join(folder, dataDir)
	name, err := newest(data, kind.Path())
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(filepath.Join(data, name), os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("flip bits: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("flip bits: %w", err)
	}
	if info.Size() == 0 {
		return name + " is empty: no bit to flip", nil
	}
	var at []string
	for range bits {
		bit := chance.Int64N(8 * info.Size())
		var b [1]byte
		if _, err := file.ReadAt(b[:], bit/8); err != nil {
			return "", fmt.Errorf("flip bits: %w", err)
		}
		b[0] ^= 1 << (bit % 8)
		if _, err := file.WriteAt(b[:], bit/8); err != nil {
			return "", fmt.Errorf("flip bits: %w", err)
		}
		at = append(at, fmt.Sprintf("%d.%d", bit/8, bit%8))
	}
	if err := file.Sync(); err != nil {
		return "", fmt.Errorf("flip bits: %w", err)
	}
	return fmt.Sprintf("%s of %d bytes: flipped %s", name, info.Size(), strings.Join(at, " ")), nil
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
