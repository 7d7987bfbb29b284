package storage

import (
	"errors"
	"testing"
	"time"

	"flotilla/consensus"
	"flotilla/storage/conformance"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestADiskIsSlowForALabOnly: each synced write takes so much longer, that counts as the
// disk's time, and ends when it is told to. A disk of no lab refuses, and stays as it is.
func TestADiskIsSlowForALabOnly(t *testing.T) {
	const delay = 60 * time.Millisecond
	for _, isLab := range []bool{false, true} {
		opts := testOptions(t, vfs.NewMem())
		opts.Lab = isLab
		d := mustOpen(t, "node", opts)
		must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
		if err := d.SetSyncDelay(delay); errors.Is(err, ErrNoLab) == isLab {
			t.Errorf("lab %v: %v", isLab, err)
		}
		before := d.Stats().SyncSeconds
		for i := uint64(1); i <= 3; i++ {
			must(t, d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, i, i)}}))
		}
		took := d.Stats().SyncSeconds - before
		if isLab && took < 3*delay.Seconds() {
			t.Errorf("three writes that take %v longer each took %.3f s", delay, took)
		}
		if isLab {
			must(t, d.SetSyncDelay(0))
		}
		if left := d.syncDelay.Load(); left != 0 {
			t.Errorf("lab %v: still slow by %d ns", isLab, left)
		}
		must(t, d.Close())
	}
}
