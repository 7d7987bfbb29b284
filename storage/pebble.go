package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// largeValueBytes is from where on a value lies in a file of values, and not in a
// block with its neighbours: whoever looks for one of them would read it, too.
const largeValueBytes = 64 << 10

// openState opens the store of the groups' states. Its memtable is small, since
// what is written comes in batches so large that they bypass it.
func (d *Disk) openState() error {
	o := d.pebbleOptions()
	o.CacheSize = d.opts.StateCacheBytes
	o.DisableWAL = true
	o.MemTableSize = 4 << 20
	o.MemTableStopWritesThreshold = 8
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{Enabled: true, MinimumSize: largeValueBytes, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: time.Minute, TargetGarbageRatio: 0.3}
	}
	o.CompactionConcurrencyRange = func() (lower, upper int) { return 1, 2 }
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := openPebble(d.fs.PathJoin(d.dir, "state"), o)
	d.state = db
	return err
}

func (d *Disk) pebbleOptions() *pebble.Options {
	return &pebble.Options{
		FS: d.fs,
		// The default is the oldest format.
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             &pebbleLogger{disk: d, log: d.opts.Log},
		EventListener: &pebble.EventListener{
			BackgroundError: d.backgroundError,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { d.noteReadError(info.Details) },
		},
	}
}

// backgroundError hears of flushes and compactions that failed. Pebble would try
// again for ever.
func (d *Disk) backgroundError(err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) || d.isClosed.Load() {
		return
	}
	d.stateFailed(err)
}

// stateFailed tells damage, which only quarantine heals, from a disk that failed.
func (d *Disk) stateFailed(err error) {
	if isDamage(err) {
		d.noteReadError(err)
		return
	}
	_ = d.fail(err) // fail has told everyone
}

// pebbleLogger takes what Pebble has to say: fatal means that a write or an fsync
// failed, and Pebble relies on this call not returning in a real process.
type pebbleLogger struct {
	disk *Disk
	log  *slog.Logger
}

func (*pebbleLogger) Infof(string, ...any) {}

func (l *pebbleLogger) Errorf(format string, args ...any) {
	l.log.Warn("pebble reports", "err", fmt.Sprintf(format, args...))
}

func (l *pebbleLogger) Fatalf(format string, args ...any) {
	_ = l.disk.fail(fmt.Errorf(format, args...))
}

// openPebble opens a store and turns a panic into an error: some damage to a
// MANIFEST gets past its checksums' first line and trips an assertion.
func openPebble(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: pebble panicked: %v", errDamaged, r)
		}
	}()
	db, err = pebble.Open(dir, o)
	if err != nil && !isEnvironment(err) {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return db, err
}

// checkSequence finds out whether a store has tables that are newer than all it knows to
// have been written, because the record of its manifest that said so is damaged. What is in
// them is not seen, and would come back into view, in the middle of what is written next.
func checkSequence(db *pebble.DB) error {
	batch := db.NewBatch()
	defer batch.Close()
	if err := errors.Join(batch.LogData(nil, nil), batch.Commit(pebble.NoSync)); err != nil {
		return err
	}
	levels, err := db.SSTables()
	if err != nil {
		return err
	}
	for _, level := range levels {
		for _, table := range level {
			if table.LargestSeqNum >= batch.SeqNum() {
				return fmt.Errorf("%w: table %v of the states has write %d, but only those before %d are known", errDamaged, table.FileNum, table.LargestSeqNum, batch.SeqNum())
			}
		}
	}
	return nil
}

// isEnvironment tells errors of the machine, which a person can mend without losing
// data, from damage. A missing file is damage: we did not remove it.
func isEnvironment(err error) bool {
	if pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var code syscall.Errno
	return errors.As(err, &code) || errors.Is(err, fs.ErrPermission) ||
		strings.Contains(err.Error(), "format major version") // written by a newer program
}
