package queuetab

import (
	"context"
	"fmt"
	"testing"
	"time"

	"flotilla"
	"flotilla/queue"
)

// TestKeeperKeepsAnHour of each queue, the newest, and of no more queues than there is room for.
func TestKeeperKeepsAnHour(t *testing.T) {
	names := maxKept
	k := &Keeper{Summaries: func(context.Context, int64) (all queue.Summaries) {
		for i := range names {
			all.Queues = append(all.Queues, queue.Summary{QueueName: fmt.Sprintf("q%03d", i), Group: 1})
		}
		return all
	}}
	at := time.Unix(1_700_000_000, 0)
	for range keptSamples + 5 {
		k.take(t.Context(), at)
		at = at.Add(samplePeriod)
	}
	all, isFull := k.Hour("q007")
	if len(all) != keptSamples || isFull || all[keptSamples-1].AtMs != at.Add(-samplePeriod).UnixMilli() {
		t.Fatalf("%d samples, full: %v", len(all), isFull)
	}
	names++
	k.take(t.Context(), at)
	if all, isFull := k.Hour(fmt.Sprintf("q%03d", maxKept)); len(all) != 0 || !isFull || len(k.queues) != maxKept {
		t.Errorf("one too many has %d samples; full: %v, %d queues", len(all), isFull, len(k.queues))
	}
	k.take(t.Context(), at.Add(-time.Minute)) // the clock was set back
	if all, _ := k.Hour("q007"); all[len(all)-1].AtMs != at.UnixMilli() {
		t.Error("samples are out of order")
	}
	names = 1
	k.take(t.Context(), at.Add(time.Hour+samplePeriod))
	if len(k.queues) != 1 {
		t.Errorf("%d queues are kept an hour after they went", len(k.queues))
	}
}

// TestSamplesAddUpParts of a queue, and tell no rate that is not known.
func TestSamplesAddUpParts(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	var now queue.Summaries
	k := &Keeper{Summaries: func(context.Context, int64) queue.Summaries { return now }}
	part := func(group flotilla.GroupID, ready, sent, done uint64, ageSeconds int64) queue.Summary {
		return queue.Summary{QueueName: "q", Group: group, OldestSentTimestamp: flotilla.Millis((begin.Unix() - ageSeconds) * 1000),
			Counters: queue.Counters{Ready: ready, Leased: 1, Delayed: 2, Sent: sent, Deleted: done}}
	}
	take := func(at time.Duration, parts ...queue.Summary) Sample {
		now.Queues = parts
		k.take(t.Context(), begin.Add(at))
		all, _ := k.Hour("q")
		return all[len(all)-1]
	}
	if s := take(0, part(1, 5, 100, 50, 0)); s.Sent != unknown || s.Done != unknown {
		t.Errorf("before there was another: %+v", s)
	}
	want := Sample{AtMs: begin.Add(10 * time.Second).UnixMilli(), Ready: 7, Leased: 1, Delayed: 2, AgeMs: 13_000, Sent: 2, Done: 1}
	if s := take(10*time.Second, part(1, 7, 120, 60, 3)); s != want {
		t.Errorf("%+v, not %+v", s, want)
	}
	if s := take(20*time.Second, part(1, 1, 130, 60, 0), part(2, 2, 40, 4, 30)); s.Ready != 3 || s.Leased != 2 || s.AgeMs != 50_000 || s.Sent != unknown {
		t.Errorf("the other part was led elsewhere before: %+v", s)
	}
	if s := take(30*time.Second, part(1, 1, 130, 60, 0), part(2, 2, 50, 4, 30)); s.Sent != 1 || s.Done != 0 {
		t.Errorf("both parts: %+v", s)
	}
	if s := take(40*time.Second, part(1, 1, 3, 0, 0), part(2, 2, 50, 4, 30)); s.Sent != unknown || s.Done != unknown {
		t.Errorf("after the counters began anew: %+v", s)
	}
}
