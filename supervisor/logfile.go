package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// maxLogBytes is the size at which node.log becomes node.log.1 (and the older
// node.log.1 goes), so that a node that complains for days fills 20 MB, not the disk.
const maxLogBytes = 10 << 20

// maxLastLine bounds what is remembered of a log's last line.
const maxLastLine = 300

// logFile is what a node prints, limited in size. It outlives the node's processes.
type logFile struct {
	path     string
	maxBytes int64

	mu   sync.Mutex // guards all below; writing the file under it is this type's whole job
	file *os.File
	size int64
	last []byte // of the newest line, complete or not
	open bool   // whether last is still being written to
}

func openLog(dir string, maxBytes int64) (*logFile, error) {
	if err := MakeFolder(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a node's folder: %w", err)
	}
	l := &logFile{path: filepath.Join(dir, "node.log"), maxBytes: maxBytes}
	return l, l.reopen()
}

func (l *logFile) reopen() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open a node's log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("open a node's log: %w", err), file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write appends what a node printed. It always claims success: a full disk must
// not kill a node by breaking the pipe that it logs to.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(p)
	if l.file == nil {
		return len(p), nil
	}
	if l.size > 0 && l.size+int64(len(p)) > l.maxBytes {
		if err := l.rotate(); err != nil {
			return len(p), nil
		}
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *logFile) rotate() error {
	err := l.file.Close()
	l.file = nil
	// os.Rename replaces the older file on Windows as well.
	return errors.Join(err, os.Rename(l.path, l.path+".1"), l.reopen())
}

// remember keeps the last line, which usually says why a node died.
func (l *logFile) remember(p []byte) {
	for len(p) > 0 {
		line, rest, isComplete := bytes.Cut(p, []byte{'\n'})
		if !l.open {
			l.last = l.last[:0]
		}
		l.last = append(l.last, line[:min(len(line), maxLastLine-len(l.last))]...)
		l.open = !isComplete
		p = rest
	}
}

// LastLine returns the last line that was printed.
func (l *logFile) LastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.last))
}

// Close closes the file.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
