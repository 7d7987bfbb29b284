package storage

import "runtime"

// Settle returns when the states' store flushes and compacts nothing in the background:
// for a simulator, in which what is on disk must not depend on how fast that went.
func (d *Disk) Settle() {
	for d.isBusy() {
		runtime.Gosched() // Pebble has no way to wait for its compactions
	}
}

func (d *Disk) isBusy() bool {
	if d.failure.get() != nil || d.damage.get() != nil {
		return false // what failed is tried again and again
	}
	m := d.state.Metrics()
	return m.Flush.NumInProgress+m.Compact.NumInProgress > 0
}
