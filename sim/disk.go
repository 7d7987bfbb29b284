package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/consensus"
	"flotilla/scenario"
	"flotilla/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// drive is what remains of a node's disk when the node is down.
type drive interface {
	// open returns the disk as it is found.
	open(n *node) (opened, error)
	// crash ends the use of the disk, and takes of what was not synced what loss says.
	crash(loss scenario.Loss)
	// stop ends it in good order.
	stop() error
	// wipe replaces the drive by an empty one; the node is down.
	wipe()
	// freeze is called at a boundary: what the disk holds now is what a crash leaves.
	freeze(loss scenario.Loss)
	// wasDamaged reports whether files were changed behind the node's back.
	wasDamaged() bool
}

// opened is a disk that was opened.
type opened struct {
	disk consensus.Disk
	asks bool // tapDisk has to ask at boundaries: the disk itself does not
	// isSetAside says that the node had data, which was damaged: it must ask for new copies.
	isSetAside bool
	lost       []consensus.Replica
	forget     func(flotilla.GroupID)
}

// tapDisk is a node's disk with time, and with moments to crash at.
type tapDisk struct {
	consensus.Disk
	node    *node
	asks    bool
	ballots *consensus.Ballots
	// What Stats tells, in virtual time.
	appends uint64
	syncing time.Duration
}

func (d *tapDisk) at(b storage.Boundary) error {
	if d.asks && d.node.cutsPower(b) {
		d.node.drive.freeze(d.node.loss)
		return storage.ErrCrashed
	}
	return nil
}

// Append takes the time of a synced write.
func (d *tapDisk) Append(writes []consensus.Write) error {
	n := d.node
	n.isVoting = d.ballots.Changed(writes)
	defer func() { n.isVoting = false }()
	if err := d.at(storage.BeforeAppend); err != nil {
		return err
	}
	took := between(n.w.trouble, fastSync/20, fastSync) + between(n.w.trouble, durationOf(n.slow.Least), durationOf(n.slow.Most))
	n.lag += took
	d.appends++
	d.syncing += took
	n.w.wrote(took)
	if err := d.Disk.Append(writes); err != nil {
		return err
	}
	return d.at(storage.AfterAppend)
}

// fastSync is how long a synced write takes at most when the disk is well.
const fastSync = time.Millisecond

// Install replaces a group's state by a snapshot.
func (d *tapDisk) Install(staged consensus.Staged, hard *raftpb.HardState) error {
	d.node.w.count("snapshot installed")
	if err := d.at(storage.BeforeInstall); err != nil {
		return err
	}
	if err := d.Disk.Install(staged, hard); err != nil {
		return err
	}
	return d.at(storage.AfterInstall)
}

// Stats tells what was counted here: the disk's own counters know of real time.
func (d *tapDisk) Stats() consensus.DiskStats {
	return consensus.DiskStats{Appends: d.appends, SyncSeconds: d.syncing.Seconds()}
}

// Room says what the fault says.
func (d *tapDisk) Room() bool { return !d.node.isFull }

// State returns a state that is compared with other replicas' as it goes along.
func (d *tapDisk) State(g flotilla.GroupID) consensus.State {
	return &tapState{State: d.Disk.State(g), node: d.node, group: g}
}

// tapState compares, now and then, what a replica's state is at an index with what
// it was on another node.
type tapState struct {
	consensus.State
	node  *node
	group flotilla.GroupID
}

// compareEach is how many indexes apart the comparisons are.
const compareEach = 64

// Commit makes an entry's changes visible.
func (s *tapState) Commit(mark consensus.Mark) {
	s.State.Commit(mark)
	if mark.Index%compareEach == 0 {
		s.node.w.compare(s.node, s.group, s.State)
	}
}

// compare holds a replica's state against those that were at the same index.
func (w *world) compare(n *node, g flotilla.GroupID, state consensus.State) {
	mark := state.Mark()
	at := position{group: g, index: mark.Index}
	now := standing{hash: consensus.Hash(state), time: mark.Time, node: n.id}
	if state.Err() != nil {
		return // damage was met, and a part not seen: the node stops now
	}
	before, isKnown := w.hashes[at]
	if !isKnown {
		w.hashes[at] = now
		w.effects.stamped(now.time, w.now)
		w.compareTimes(at, now)
		return
	}
	w.count("replica compared")
	if before.hash != now.hash || before.time != now.time {
		w.fault("at index %d of %v the replicas on %v and %v differ: %x at %d and %x at %d", mark.Index, g, before.node, n.id,
			before.hash, before.time, now.hash, now.time)
	}
}

// compareTimes holds the time of a position against those around it: a log's time never goes back.
func (w *world) compareTimes(at position, now standing) {
	earlier, hasEarlier := w.hashes[position{at.group, at.index - compareEach}]
	later, hasLater := w.hashes[position{at.group, at.index + compareEach}]
	if hasEarlier && earlier.time > now.time || hasLater && later.time < now.time {
		w.fault("the time of %v goes back around index %d: %d, %d, %d (0: not known)", at.group, at.index, earlier.time, now.time, later.time)
	}
}

// memoryDrive is the fast tier.
type memoryDrive struct {
	w    *world
	disk *storage.Memory // of the last life; nil for an empty drive
	keep int             // how many commits the crash has left
}

func (d *memoryDrive) open(n *node) (opened, error) {
	options := storage.MemoryOptions{FlushCommits: 100, Crash: n.cutsPower}
	if d.disk == nil {
		d.disk = storage.NewMemory(options)
	} else {
		d.disk = d.disk.Restart(options, d.keep)
	}
	return opened{disk: d.disk}, nil
}

func (d *memoryDrive) crash(loss scenario.Loss) {
	pending := d.disk.Pending()
	switch loss {
	case scenario.LoseAll:
		d.keep = 0
	case scenario.LoseSome:
		d.keep = d.w.trouble.IntN(pending + 1)
	default:
		d.keep = -1
		return
	}
	if d.keep < pending {
		d.w.count(writesLost)
	}
}

func (d *memoryDrive) stop() error {
	d.keep = -1
	return d.disk.Close()
}

func (d *memoryDrive) wipe()                { d.disk = nil }
func (d *memoryDrive) freeze(scenario.Loss) {}
func (d *memoryDrive) wasDamaged() bool     { return false }

// pebbleDrive is the tier that runs the production disk on a file system in memory.
type pebbleDrive struct {
	w      *world
	fs     *vfs.MemFS
	frozen *vfs.MemFS // what the crash at hand leaves
	disk   *storage.Disk
	// rotten are the files that were changed since the disk was opened: a power cut takes
	// nothing then (see doc.go).
	rotten []scenario.File
	// wasRotten says that a damage that is found is ours. Otherwise none may be.
	wasRotten bool
	// hasLost says that a power cut has taken something since the disk was open: files are
	// not damaged then (see doc.go).
	hasLost bool
}

const driveDir = "node"

func newPebbleDrive(w *world) *pebbleDrive { return &pebbleDrive{w: w, fs: vfs.NewCrashableMem()} }

func (d *pebbleDrive) options(n *node) storage.Options {
	return storage.Options{FS: d.fs, Synchronous: true, BallastBytes: -1, FreeBytes: func() uint64 { return 1 << 40 },
		DirtyBytes: 16 << 10, FlushLogBytes: 128 << 10, CutEntries: 64, TailBytes: 64 << 10,
		StateCacheBytes: 1 << 20, LogSegmentBytes: 64 << 10, LogFillBytes: 8 << 10,
		Exit: func(err error) { d.w.fault("the disk of %v failed: %v", n.id, err) }}
}

// open does what a node does at its start: what is damaged is set aside.
func (d *pebbleDrive) open(n *node) (opened, error) {
	disk, err := storage.Open(driveDir, d.options(n))
	var damaged *storage.DamagedError
	if errors.As(err, &damaged) {
		d.w.count("quarantine")
		if !d.wasRotten {
			return opened{}, fmt.Errorf("nobody damaged it: %w", err)
		}
		if _, err := storage.Quarantine(driveDir, d.options(n)); err != nil {
			return opened{}, fmt.Errorf("quarantine: %w", err)
		}
		d.wasRotten = false
		disk, err = storage.Open(driveDir, d.options(n))
	}
	if err != nil {
		return opened{}, err
	}
	d.disk, d.rotten, d.hasLost = disk, nil, false
	forget := func(g flotilla.GroupID) {
		if err := disk.ForgetLost(g); err != nil {
			d.w.fault("the list of lost copies of %v: %v", n.id, err)
		}
	}
	isSetAside, err := disk.HasQuarantine()
	return opened{disk: disk, asks: true, isSetAside: isSetAside, lost: disk.Lost(), forget: forget}, err
}

func (d *pebbleDrive) freeze(loss scenario.Loss) {
	config := vfs.CrashCloneCfg{}
	if loss == scenario.LoseNothing || len(d.rotten) > 0 {
		config = vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))} // all of it: what it says does not matter
	} else {
		d.hasLost = true
	}
	d.frozen = d.fs.CrashClone(config)
	if d.hasLost && isShorter(d.frozen, d.fs, driveDir) {
		d.w.count(writesLost)
	}
}

// isShorter reports whether a folder lacks something that another one has.
func isShorter(folder, other vfs.FS, name string) bool {
	all, err := other.List(name)
	for _, child := range all {
		child = other.PathJoin(name, child)
		was, wasThere := other.Stat(child)
		is, isThere := folder.Stat(child)
		switch {
		case wasThere != nil:
		case isThere != nil, !was.IsDir() && is.Size() < was.Size(), was.IsDir() && isShorter(folder, other, child):
			return true
		}
	}
	return err != nil
}

func (d *pebbleDrive) crash(loss scenario.Loss) {
	if d.frozen == nil {
		d.freeze(loss)
	}
	d.close()
	d.fs, d.frozen = d.frozen, nil
}

func (d *pebbleDrive) stop() error {
	disk := d.disk
	d.disk = nil
	err := disk.Close()
	if d.wasRotten {
		return nil // it may have found the damage now
	}
	return err
}

func (d *pebbleDrive) wasDamaged() bool { return d.wasRotten }

// close lets go of the files of a life that has ended; what it still writes is lost.
func (d *pebbleDrive) close() {
	if d.disk != nil {
		_ = d.disk.Close()
		d.disk = nil
	}
}

func (d *pebbleDrive) wipe() {
	d.fs, d.rotten, d.wasRotten, d.hasLost = vfs.NewCrashableMem(), nil, false, false
}
