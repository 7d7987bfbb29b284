package powercut

import (
	"math/rand/v2"
	"time"
)

// Faults is what is wrong with a disk that has its power. The zero Faults is a good one.
type Faults struct {
	// Each sync of a file takes so much longer, drawn evenly.
	LeastDelay, MostDelay time.Duration
	// IsFull has no file grow beyond what all of them took together when it was set.
	// What is removed or cut off makes room.
	IsFull bool
}

// Trigger is a name in the root folder that is never there. Looking for it cuts the
// power, if CutWhenAsked said so: that is how a process that uses the file system has
// it forget at a moment that only the process knows.
const Trigger = ".cut-the-power"

// SetFaults replaces what is wrong with the disk.
func (f *FS) SetFaults(faults Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if faults.IsFull && !f.faults.IsFull {
		f.capacity = f.image.size()
	}
	f.faults = faults
}

// CutWhenAsked has the power be cut when somebody looks for Trigger: as by Cut if torn
// is nil, else as by CutTorn. It holds for one time, and not beyond another cut.
func (f *FS) CutWhenAsked(torn *uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trigger = &trigger{torn}
}

// Forgive takes CutWhenAsked back.
func (f *FS) Forgive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trigger = nil
}

// trigger is a cut that waits to be asked for.
type trigger struct{ torn *uint64 }

// pull cuts the power if that was wished, and says whether it did.
func (f *FS) pull() bool {
	f.mu.Lock()
	waiting := f.trigger
	f.mu.Unlock()
	if waiting == nil {
		return false
	}
	if err := f.cut(waiting.torn); err != nil {
		f.opts.Log.Error("the power cut went wrong", "err", err)
	}
	return true
}

// lag waits for as long as a slow disk has a sync wait. It must not hold FS.mu.
func (f *FS) lag() {
	f.mu.Lock()
	faults := f.faults
	f.mu.Unlock()
	if faults.MostDelay > 0 {
		<-time.After(faults.LeastDelay + rand.N(faults.MostDelay-faults.LeastDelay+1))
	}
}

// room returns how many bytes files may still grow by; negative: there is no bound.
// FS.mu is held.
func (f *FS) room() int64 {
	if !f.faults.IsFull {
		return -1
	}
	return max(f.capacity-f.image.size(), 0)
}

// fits reports whether a file may become so long. FS.mu is held.
func (f *FS) fits(n *node, size int64) bool {
	room := f.room()
	return room < 0 || size-n.content.size <= room
}

// size returns how long all files are together that have a name.
func (i *image) size() (sum int64) {
	for _, n := range i.nodes {
		if n.content != nil && n.links > 0 {
			sum += n.content.size
		}
	}
	return sum
}
