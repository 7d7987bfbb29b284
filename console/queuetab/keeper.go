package queuetab

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"flotilla"
	"flotilla/queue"
)

// What is kept: an hour, at one sample in ten seconds, of so many queues whose groups, or
// parts of which, this node leads.
const (
	samplePeriod = 10 * time.Second
	keptSamples  = 360
	maxKept      = 100
)

// unknown is a rate that can not be told: the node has just begun to lead, or the queue
// was purged.
const unknown = -1

// Sample is what one node knows of a queue at one moment.
type Sample struct {
	AtMs    int64   `json:"at_ms"` // a multiple of ten seconds, the same on all nodes
	Ready   uint64  `json:"ready"`
	Leased  uint64  `json:"leased"`
	Delayed uint64  `json:"delayed"`
	AgeMs   int64   `json:"age_ms"` // of the oldest message; 0: there is none
	Sent    float64 `json:"sent"`   // a second; unknown: -1
	Done    float64 `json:"done"`   // deleted by who had it, a second
}

// add adds what another part of the queue has.
func (s *Sample) add(o Sample) {
	s.Ready, s.Leased, s.Delayed, s.AgeMs = s.Ready+o.Ready, s.Leased+o.Leased, s.Delayed+o.Delayed, max(s.AgeMs, o.AgeMs)
	s.Sent, s.Done = plus(s.Sent, o.Sent), plus(s.Done, o.Done)
}

func plus(a, b float64) float64 {
	if a == unknown || b == unknown {
		return unknown
	}
	return a + b
}

// Keeper keeps the last hour of the queues that this node leads. Run writes, anybody may read.
type Keeper struct {
	Summaries func(ctx context.Context, limit int64) queue.Summaries

	before map[part]counted // Run's own: the counters as they were

	mu     sync.Mutex // guards what follows
	queues map[string][]Sample
	isFull bool // there was a queue more than are kept
}

// part is a queue, or as much of it as a group has.
type part struct {
	queue string
	group flotilla.GroupID
}

// counted is what a part had counted at a time.
type counted struct {
	at         time.Time
	sent, done uint64
}

// Run takes a sample now and then, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-timer.C:
			at := now.Round(samplePeriod)
			k.take(ctx, at)
			timer.Reset(time.Until(at.Add(samplePeriod)))
		}
	}
}

func (k *Keeper) take(ctx context.Context, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	now, samples := map[part]counted{}, map[string]Sample{}
	for _, s := range k.Summaries(ctx, maxKept).Queues {
		p, n := part{s.QueueName, s.Group}, s.Counters
		now[p] = counted{at, n.Sent, n.Deleted}
		one := Sample{AtMs: at.UnixMilli(), Ready: n.Ready, Leased: n.Leased, Delayed: n.Delayed}
		if s.OldestSentTimestamp != 0 {
			one.AgeMs = max(0, at.UnixMilli()-int64(s.OldestSentTimestamp))
		}
		before, isKnown := k.before[p]
		one.Sent, one.Done = rate(isKnown, before.at, at, before.sent, n.Sent), rate(isKnown, before.at, at, before.done, n.Deleted)
		if all, ok := samples[s.QueueName]; ok {
			one.add(all)
		}
		samples[s.QueueName] = one
	}
	k.before = now
	k.keep(at.UnixMilli(), samples)
}

// rate returns how much was counted a second.
func rate(isKnown bool, from, to time.Time, before, after uint64) float64 {
	seconds := to.Sub(from).Seconds()
	if !isKnown || after < before || seconds <= 0 {
		return unknown
	}
	return float64(after-before) / seconds
}

// keep adds a sample of each queue, and forgets what is older than an hour.
func (k *Keeper) keep(atMs int64, samples map[string]Sample) {
	k.mu.Lock()
	defer k.mu.Unlock()
	oldest := atMs - keptSamples*samplePeriod.Milliseconds()
	for name, all := range k.queues {
		for len(all) > 0 && all[0].AtMs <= oldest {
			all = all[1:]
		}
		if k.queues[name] = all; len(all) == 0 {
			delete(k.queues, name)
		}
	}
	if k.queues == nil {
		k.queues = map[string][]Sample{}
	}
	k.isFull = false
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		s := samples[name]
		all, isKnown := k.queues[name]
		switch {
		case !isKnown && len(k.queues) >= maxKept:
			k.isFull = true
		case len(all) > 0 && all[len(all)-1].AtMs >= s.AtMs: // the clock was set back
		default:
			k.queues[name] = append(all, s)
		}
	}
}

// Hour returns what is kept of a queue, in order. If it is nothing, isFull tells whether
// that is for want of room.
func (k *Keeper) Hour(queueName string) (all []Sample, isFull bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all = append([]Sample{}, k.queues[queueName]...)
	return all, k.isFull && len(all) == 0
}
