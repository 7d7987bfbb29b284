package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// drive is what remains of a node's disk when the node is down.
type drive interface {
	// open returns the disk as it is found.
	open(n *node) (opened, error)
	// crash ends the use of the disk; a mere kill loses nothing of what was written.
	crash(losesUnsynced bool)
	// wipe replaces the drive by an empty one; the node is down.
	wipe()
	// freeze is called at a boundary: what the disk holds now is what a crash leaves.
	freeze(losesUnsynced bool)
}

// opened is a disk that was opened.
type opened struct {
	disk   consensus.Disk
	asks   bool // tapDisk has to ask at boundaries: the disk itself does not
	lost   []consensus.Replica
	forget func(flotilla.GroupID)
}

// afterReply is one more boundary: the messages that told of the write have left.
const afterReply storage.Boundary = "after reply"

// cutsPower is asked at each boundary whether the power goes out here.
func (n *node) cutsPower(at storage.Boundary) bool {
	w := n.w
	if n.armed == at {
		n.armed = ""
	} else {
		oneOf := w.opts.CrashOneOf
		if n.isVoting {
			oneOf /= 20
		}
		if w.isCalm || !w.happens(oneOf) {
			return false
		}
		if at == storage.AfterAppend && w.happens(2) {
			n.armed = afterReply
			return false
		}
		n.losesUnsynced = w.happens(2)
	}
	w.count("crash " + string(at))
	w.worsen(n)
	return true
}

// worsen lets a second thing go wrong soon after a crash: what one copy has lost
// shows only when another one that had it is away.
func (w *world) worsen(n *node) {
	if w.isCalm || !w.happens(3) {
		return
	}
	other := w.nodes[w.trouble.IntN(len(w.nodes))]
	if other == n || other.core == nil {
		return
	}
	wait, isCut, away := between(w.trouble, 0, 20*time.Millisecond), w.happens(2), between(w.trouble, time.Second, 4*time.Second)
	w.after(wait, func() {
		switch {
		case w.isCalm || other.core == nil:
		case isCut:
			w.isolate(other)
			w.after(away, func() { w.heal() })
		default:
			other.crash(away)
		}
	})
}

// tapDisk is a node's disk with time, and with moments to crash at.
type tapDisk struct {
	consensus.Disk
	node *node
	asks bool
	// What Stats tells, in virtual time.
	appends uint64
	syncing time.Duration
}

func (d *tapDisk) at(b storage.Boundary) error {
	if d.asks && d.node.cutsPower(b) {
		d.node.drive.freeze(d.node.losesUnsynced)
		return storage.ErrCrashed
	}
	return nil
}

// Append takes the time of a synced write.
func (d *tapDisk) Append(writes []consensus.Write) error {
	n := d.node
	n.isVoting = false
	for _, x := range writes {
		n.isVoting = n.isVoting || x.HardState.GetVote() != 0 && len(x.Entries) == 0
	}
	if err := d.at(storage.BeforeAppend); err != nil {
		return err
	}
	took := between(n.w.trouble, 50*time.Microsecond, n.slow)
	n.lag += took
	d.appends++
	d.syncing += took
	if err := d.Disk.Append(writes); err != nil {
		return err
	}
	return d.at(storage.AfterAppend)
}

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
	before, isKnown := w.hashes[at]
	if !isKnown {
		w.hashes[at] = now
		return
	}
	w.count("replica compared")
	if before.hash != now.hash || before.time != now.time {
		w.fault("at index %d of %v the replicas on %v and %v differ: %x at %d and %x at %d", mark.Index, g, before.node, n.id,
			before.hash, before.time, now.hash, now.time)
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

func (d *memoryDrive) crash(losesUnsynced bool) {
	d.keep = -1
	if losesUnsynced {
		d.keep = d.w.trouble.IntN(d.disk.Pending() + 1)
	}
}

func (d *memoryDrive) wipe()       { d.disk = nil }
func (d *memoryDrive) freeze(bool) {}

// pebbleDrive is the tier that runs the production disk on a file system in memory.
type pebbleDrive struct {
	w      *world
	fs     *vfs.MemFS
	frozen *vfs.MemFS // what the crash at hand leaves
	disk   *storage.Disk
	// isRotten says that the fault of a file was ours: otherwise none may be found.
	isRotten bool
}

const driveDir = "node"

func newPebbleDrive(w *world) *pebbleDrive { return &pebbleDrive{w: w, fs: vfs.NewCrashableMem()} }

func (d *pebbleDrive) options(n *node) storage.Options {
	return storage.Options{FS: d.fs, Synchronous: true, BallastBytes: -1, FreeBytes: func() uint64 { return 1 << 40 },
		DirtyBytes: 16 << 10, FlushLogBytes: 128 << 10, CutEntries: 64, TailBytes: 64 << 10, LogTableBytes: 256 << 10,
		StateCacheBytes: 1 << 20, LogCacheBytes: 1 << 20,
		Exit: func(err error) { d.w.fault("the disk of %v failed: %v", n.id, err) }}
}

// open does what a node does at its start: what is damaged is set aside.
func (d *pebbleDrive) open(n *node) (opened, error) {
	disk, err := storage.Open(driveDir, d.options(n))
	var damaged *storage.DamagedError
	if errors.As(err, &damaged) {
		d.w.count("quarantine")
		if !d.isRotten {
			return opened{}, fmt.Errorf("nobody damaged it: %w", err)
		}
		if _, err := storage.Quarantine(driveDir, d.options(n)); err != nil {
			return opened{}, fmt.Errorf("quarantine: %w", err)
		}
		disk, err = storage.Open(driveDir, d.options(n))
	}
	if err != nil {
		return opened{}, err
	}
	d.disk, d.isRotten = disk, false
	forget := func(g flotilla.GroupID) {
		if err := disk.ForgetLost(g); err != nil {
			d.w.fault("the list of lost copies of %v: %v", n.id, err)
		}
	}
	return opened{disk: disk, asks: true, lost: disk.Lost(), forget: forget}, nil
}

func (d *pebbleDrive) freeze(losesUnsynced bool) {
	config := vfs.CrashCloneCfg{}
	if !losesUnsynced {
		config = vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))} // all of it: what it says does not matter
	}
	d.frozen = d.fs.CrashClone(config)
}

func (d *pebbleDrive) crash(losesUnsynced bool) {
	if d.frozen == nil {
		d.freeze(losesUnsynced)
	}
	d.close()
	d.fs, d.frozen = d.frozen, nil
}

// close lets go of the files of a life that has ended; what it still writes is lost.
func (d *pebbleDrive) close() {
	if d.disk != nil {
		_ = d.disk.Close()
		d.disk = nil
	}
}

func (d *pebbleDrive) wipe() { d.fs = vfs.NewCrashableMem() }
