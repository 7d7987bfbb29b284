package storage

import (
	"errors"
	"time"
)

// ErrNoLab is returned when a fault is asked of a Disk that was not opened for a lab.
var ErrNoLab = errors.New("the disk can be made slow only on a node that was started with --lab")

// SetSyncDelay has each synced write of the log take so much longer, as on a slow disk;
// 0 makes it as fast as it is. What the states write beside it is left alone: nobody waits for that.
// One that is under way still takes as long as when it began.
func (d *Disk) SetSyncDelay(delay time.Duration) error {
	if !d.opts.Lab {
		return ErrNoLab
	}
	d.syncDelay.Store(int64(max(delay, 0)))
	return nil
}

// delaySync waits as long as a lab has the disk be slower.
func (d *Disk) delaySync() {
	if delay := d.syncDelay.Load(); delay > 0 {
		<-time.After(time.Duration(delay))
	}
}
