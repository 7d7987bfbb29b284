package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// DamagedError says that what is on disk is not what was written. The replicas in
// it must not vote, acknowledge or be read again under their ids: Quarantine sets
// the stores aside, and Lost tells which replicas have to be replaced.
type DamagedError struct {
	Dir string
	Err error
}

// Error says what was found, and what to do.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the data in %s is damaged: %v: it must be set aside (quarantine) and fetched again from the other nodes", e.Dir, e.Err)
}

// Unwrap returns what was found.
func (e *DamagedError) Unwrap() error { return e.Err }

// errDamaged marks errors that mean damage.
var errDamaged = errors.New("damaged")

func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, errChecksum) || errors.Is(err, wal.ErrDamaged) || pebble.IsCorruptionError(err)
}

// The small files and folders of a node.
const (
	lockName     = "LOCK"
	logName      = "log"
	stateName    = "state"
	tailName     = "tail"
	flushesName  = "flushes"
	replicasName = "replicas"
	lostName     = "lost"
	damagedName  = "damaged"
	ballastName  = "ballast"
)

// noteReadError keeps in mind that a store is damaged, if that is what err says,
// and writes it down: most of a store is not read at the next start, so that
// nobody would find it again.
func (d *Disk) noteReadError(err error) {
	if !isDamage(err) || d.damage.get() != nil {
		return
	}
	d.damage.set(err)
	d.opts.Log.Error("damaged data found, the node must set it aside", "err", err)
	if err := writeFile(d.fs, d.path(damagedName), []byte(err.Error()+"\n")); err != nil {
		_ = d.fail(fmt.Errorf("note that data is damaged: %w", err))
	}
}

// logDamaged is for errors of the log: raft can not go on without it.
func (d *Disk) logDamaged(err error) error {
	d.noteReadError(fmt.Errorf("%w: %w", errDamaged, err))
	return err
}

// Damage returns why the stores must be quarantined, or nil.
func (d *Disk) Damage() error { return d.damage.get() }

// Lost returns the replicas whose data was set aside and that were not replaced yet.
func (d *Disk) Lost() []consensus.Replica {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.lost)
}

// ForgetLost takes a group's replicas off the list, durably, once the cluster no
// longer counts on them.
func (d *Disk) ForgetLost(id flotilla.GroupID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(d.lost), func(r consensus.Replica) bool { return r.Group == id })
	if err := writeFile(d.fs, d.path(lostName), formatReplicas(left)); err != nil {
		return d.fail(err)
	}
	d.lost = left
	return nil
}

// Quarantine moves a folder's stores to quarantine-<n>/ and adds their replicas to
// the list of the lost, which it returns. The folder can be opened afterwards, and is
// empty. Only Options.FS is used. It may be repeated after a crash in its middle:
//
//	the list is written first, the file that it comes from is moved last
func Quarantine(dir string, opts Options) (lost []consensus.Replica, err error) {
	files := opts.withDefaults().FS
	lock, err := lockDir(files, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	lost, err = gatherLost(files, dir)
	if err != nil {
		return nil, err
	}
	if err := writeFile(files, files.PathJoin(dir, lostName), formatReplicas(lost)); err != nil {
		return nil, err
	}
	aside, err := newQuarantine(files, dir)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{stateName, logName, tailName, flushesName, replicasName, damagedName} {
		err := files.Rename(files.PathJoin(dir, name), files.PathJoin(aside, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("set %s aside: %w", name, err)
		}
		if err := errors.Join(syncDir(files, aside), syncDir(files, dir)); err != nil {
			return nil, err
		}
	}
	return lost, nil
}

// HasQuarantine reports whether stores of this folder were ever set aside. Lost may not
// know of all that was in them, for the list of replicas may have been what was
// damaged: a node that has none must not make first copies here.
func (d *Disk) HasQuarantine() (bool, error) {
	return exists(d.opts.FS, d.path(quarantineName(1)))
}

func quarantineName(n int) string { return fmt.Sprintf("quarantine-%d", n) }

// gatherLost adds the replicas of the folder to those lost before. A list that is
// damaged itself counts as far as it can be known: not at all (see HasQuarantine).
func gatherLost(files vfs.FS, dir string) ([]consensus.Replica, error) {
	var all []consensus.Replica
	for _, name := range []string{lostName, replicasName} {
		replicas, err := readReplicas(files, files.PathJoin(dir, name))
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			return nil, err
		}
		all = append(all, replicas...)
	}
	slices.SortFunc(all, func(a, b consensus.Replica) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(all), nil
}

func newQuarantine(files vfs.FS, dir string) (string, error) {
	for n := 1; ; n++ {
		aside := files.PathJoin(dir, quarantineName(n))
		taken, err := exists(files, aside)
		if err != nil {
			return "", err
		}
		if taken {
			continue
		}
		if err := files.MkdirAll(aside, 0o755); err != nil {
			return "", err
		}
		return aside, syncDir(files, dir)
	}
}
