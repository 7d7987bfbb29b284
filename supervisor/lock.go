package supervisor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errLocked is what tryLock returns when another process holds the lock.
var errLocked = errors.New("locked by another process")

// Lock is the right to run the fleet of one folder. The kernel gives it back
// when the process ends, however it ends.
type Lock struct {
	file *os.File
	made []string // what LockDir made, the last first
}

// LockDir makes the folder if need be and locks it. It refuses a folder that is
// not a fleet's, and one whose fleet runs already.
func LockDir(dir string) (*Lock, error) {
	if err := checkOurs(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	made := missing(path)
	if err := MakeFolder(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the fleet's folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := tryLock(file); err != nil {
		defer file.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("a fleet already runs in %s%s: "+
				"stop it with Ctrl-C there, or use another --dir and --port-offset", dir, holder(file))
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	// The process id is for messages only, so it need not be durable.
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := errors.Join(file.Truncate(0), writeAt(file, pid)); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
	}
	return &Lock{file: file, made: made}, nil
}

// missing returns which of a file and the folders above it are not there, the file first.
func missing(path string) (paths []string) {
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return paths
		}
		paths = append(paths, path)
		path = filepath.Dir(path)
	}
}

// Undo gives the lock back, and removes what LockDir made, as far as nothing else is in
// it now: the fleet could not be started.
func (l *Lock) Undo() error {
	err := l.file.Close()
	for _, path := range l.made {
		if removeErr := os.Remove(path); removeErr != nil {
			return errors.Join(err, removeErr)
		}
	}
	return err
}

// Close gives the lock back.
func (l *Lock) Close() error { return l.file.Close() }

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// holder says who holds the lock, as far as the file tells.
func holder(file *os.File) string {
	raw, err := io.ReadAll(io.LimitReader(file, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || convErr != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
