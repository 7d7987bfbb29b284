package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Wiping a node's disk: its process is killed, all of its folder but what it has printed
// goes, and it starts again. Deleting may take long, and the loop must not wait: what is
// to go is renamed first, and deleted beside it.

// wipedPrefix begins the names of what is being deleted.
const wipedPrefix = "wiped-"

// setAside renames all in a node's folder that is the node's own. Its process must be gone.
func setAside(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("wipe a node: %w", err)
	}
	aside, err := os.MkdirTemp(folder, wipedPrefix)
	if err != nil {
		return fmt.Errorf("wipe a node: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "node.log") && !strings.HasPrefix(e.Name(), wipedPrefix) {
			errs = append(errs, os.Rename(filepath.Join(folder, e.Name()), filepath.Join(aside, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// removeWiped deletes what was set aside, also by an earlier supervisor.
func removeWiped(folder string) error {
	names, err := filepath.Glob(filepath.Join(folder, wipedPrefix+"*"))
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, os.RemoveAll(name))
	}
	return errors.Join(errs...)
}

// wipe sets a node's data aside whose process is gone, and has it start again.
func (l *loop) wipe(i int, now time.Time) {
	m := l.members[i]
	m.isWiped = false
	folder := l.fleet.nodeDir(m.plan)
	if err := setAside(folder); err != nil {
		m.hold()
		l.fleet.notify("%s stays down: %v", m.plan.Name(), err)
		return
	}
	m.note(Wiped, now)
	l.waiters.Go(func() {
		if err := removeWiped(folder); err != nil {
			l.fleet.notify("what %s had on its disk is not all deleted: %v", m.plan.Name(), err)
		}
	})
}
