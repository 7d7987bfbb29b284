package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces a file so that after a power cut either the old or the new
// content is there, whole.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	temp := path + ".tmp"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// MakeFolder makes a folder, and those above it that are missing, so that after a
// power cut it is there, with what was synced in it. os.MkdirAll promises nothing of
// the kind: a folder's name is durable once the folder above it was synced.
func MakeFolder(path string, mode os.FileMode) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	above := filepath.Dir(path)
	err = os.Mkdir(path, mode)
	if errors.Is(err, fs.ErrNotExist) && above != path {
		// From the top down, each one durable before the next: whoever is killed in
		// between leaves at most one folder whose name is not, the lowest.
		if err := MakeFolder(above, mode); err != nil {
			return err
		}
		err = os.Mkdir(path, mode)
	}
	if err == nil {
		return syncDir(above)
	}
	if info, statErr := os.Stat(path); statErr != nil || !info.IsDir() {
		return err
	}
	// It was there. Whoever made it may have been killed before this; but the folder
	// above need not be ours to open, or be able to be synced.
	_ = syncDir(above)
	return nil
}
