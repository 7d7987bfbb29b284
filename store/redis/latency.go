package redis

import (
	"sync/atomic"
	"time"

	"flotilla"
)

// latency is a histogram of durations that all connections write to. A run of
// commands costs two atomic additions, whatever its length.
type latency struct {
	bounds []float64
	counts [flotilla.MaxBuckets + 1]atomic.Uint64
	nanos  atomic.Uint64
}

func (l *latency) start() { l.bounds = flotilla.LatencyBounds() }

// observe counts n commands that were answered after a time: those of a run are
// answered together, so each took as long as the run.
func (l *latency) observe(took time.Duration, n uint64) {
	l.counts[flotilla.BucketOf(l.bounds, took.Seconds())].Add(n)
	l.nanos.Add(uint64(took) * n)
}

// snapshot returns what was counted so far. It may miss part of what is being
// counted meanwhile.
func (l *latency) snapshot() flotilla.Histogram {
	h := flotilla.NewHistogram(l.bounds)
	for i := range l.counts {
		h.Counts[i] = l.counts[i].Load()
	}
	h.Sum = time.Duration(l.nanos.Load()).Seconds()
	return h
}
