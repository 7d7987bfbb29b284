package clustertab

import (
	"context"
	"sync"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/store/redis"
)

// What is kept: an hour, at one sample in ten seconds.
const (
	samplePeriod = 10 * time.Second
	keptSamples  = 360
)

// Sample is what a node did in ten seconds. Times are in microseconds, 0 if there was nothing.
type Sample struct {
	AtMs       int64   `json:"at_ms"`
	Commands   float64 `json:"commands"` // a second, at the Redis door
	Errors     float64 `json:"errors"`   // of these
	WriteHalf  int64   `json:"write_half_us"`
	WriteSlow  int64   `json:"write_slow_us"` // one of a hundred is slower
	ReadHalf   int64   `json:"read_half_us"`
	ReadSlow   int64   `json:"read_slow_us"`
	SyncHalf   int64   `json:"sync_half_us"` // of fsync
	SyncSlow   int64   `json:"sync_slow_us"`
	Lag        int64   `json:"lag"` // entries, of the follower that is furthest behind a leader here; -1: not known
	LogBytes   uint64  `json:"log_bytes"`
	StateBytes uint64  `json:"state_bytes"`
}

// Keeper keeps the last hour of a node. Run writes, anybody may read.
type Keeper struct {
	Status func() cluster.Status
	Store  func() redis.Stats

	mu      sync.Mutex // guards samples
	samples []Sample   // in order
}

// totals are counters as they once were.
type totals struct {
	at                    time.Time
	commands, errors      uint64
	writes, reads, synced flotilla.Histogram
	lag                   int64
	logBytes, stateBytes  uint64
}

// Run takes a sample now and then, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(samplePeriod)
	defer ticker.Stop()
	before := totals{} // of the first tick: by then the door serves
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			after := k.totals(now)
			if !before.at.IsZero() {
				k.keep(between(before, after))
			}
			before = after
		}
	}
}

func (k *Keeper) totals(now time.Time) totals {
	status, door := k.Status(), k.Store()
	return totals{at: now, commands: door.Commands, errors: door.Errors, writes: door.Writes, reads: door.Reads, synced: status.Disk.Syncs,
		logBytes: status.Disk.LogBytes, stateBytes: status.Disk.StateBytes, lag: slowest(status.Groups)}
}

// slowest returns the lag of the follower that is furthest behind, of those whose lag is known: 0
// without followers, -1 if none is known.
func slowest(groups []cluster.GroupStatus) int64 {
	lag, followers := int64(-1), 0
	for _, g := range groups {
		followers += len(g.Followers)
		for _, f := range g.Followers {
			if f.Lag != nil {
				lag = max(lag, int64(*f.Lag))
			}
		}
	}
	if followers == 0 {
		return 0
	}
	return lag
}

// between says what happened from one moment to another.
func between(a, b totals) Sample {
	seconds := b.at.Sub(a.at).Seconds()
	s := Sample{AtMs: b.at.UnixMilli(), Commands: float64(b.commands-a.commands) / seconds, Errors: float64(b.errors-a.errors) / seconds,
		Lag: b.lag, LogBytes: b.logBytes, StateBytes: b.stateBytes}
	s.WriteHalf, s.WriteSlow = quantiles(a.writes, b.writes)
	s.ReadHalf, s.ReadSlow = quantiles(a.reads, b.reads)
	s.SyncHalf, s.SyncSlow = quantiles(a.synced, b.synced)
	return s
}

// quantiles returns the bounds below which a half, and 99 of 100, of what was observed
// in between lies.
func quantiles(a, b flotilla.Histogram) (half, slow int64) {
	counts, all := make([]uint64, len(b.Counts)), uint64(0)
	for i := range b.Counts {
		counts[i] = b.Counts[i]
		if i < len(a.Counts) {
			counts[i] -= a.Counts[i]
		}
		all += counts[i]
	}
	at := func(share float64) int64 {
		below := uint64(0)
		for i, bound := range b.Bounds {
			if below += counts[i]; all > 0 && float64(below) >= share*float64(all) {
				return int64(bound * 1e6)
			}
		}
		if all > 0 { // slower than the last bound
			return int64(b.Bounds[len(b.Bounds)-1] * 1e6)
		}
		return 0
	}
	return at(.5), at(.99)
}

func (k *Keeper) keep(s Sample) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.samples = append(k.samples, s)
	if more := len(k.samples) - keptSamples; more > 0 {
		k.samples = append(k.samples[:0], k.samples[more:]...)
	}
}

// Hour returns what is kept, in order.
func (k *Keeper) Hour() []Sample {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]Sample{}, k.samples...)
}
