package check

import (
	"strings"
	"testing"
)

func TestRightQueuesAreNotAccused(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		toy := newToyQueues(seed, "")
		history := toy.run(100 + int(seed%7)*100)
		if v := Queues(history, toy.rules); !v.OK() {
			t.Fatalf("seed %d: all was right, and %v", seed, v)
		}
	}
}

// TestEachBrokenQueueRuleIsFound breaks one rule now and then. Not every break can be
// seen; most must be, and by the words that belong to it.
func TestEachBrokenQueueRuleIsFound(t *testing.T) {
	const seeds = 60
	tests := []struct {
		rule  string
		by    []string
		least int // of the histories in which it was broken, in percent
	}{
		{"lost", []string{"lost: "}, 95},
		{"lost when dead", []string{"lost: "}, 60},
		{"refused", []string{"invented: ", "stale: ", "counts: ", "lost: "}, 60},
		{"doubled", []string{"sent twice: "}, 95},
		{"twice", []string{"sent twice: "}, 60},
		{"two leases", []string{"two leases: "}, 90},
		{"not deleted", []string{"deleted and back: "}, 90},
		{"late delete", []string{"lost: ", "stale: "}, 75},
		{"late change", []string{"stale: "}, 75},
		{"no change", []string{"stale: "}, 70},
		{"order", []string{"order: "}, 80},
		{"numbers", []string{"order: ", "altered: "}, 20},
		{"early", []string{"early: "}, 50},
		{"uncounted", []string{"counts: "}, 90},
		{"overcounted", []string{"counts: "}, 90},
		{"immortal", []string{"dead: "}, 70},
		{"dead too soon", []string{"dead: "}, 50},
		{"dead and back", []string{"dead: ", "counts: "}, 60},
		{"purge forgets", []string{"purged and back: "}, 60},
		{"tally", []string{"tally: "}, 90},
		{"undercounted", []string{"tally: "}, 50},
		{"not found", []string{"lost: "}, 50},
		{"rate", []string{"rate: "}, 50},
		{"in flight", []string{"in flight: "}, 50},
		{"group rate", []string{"rate: message group"}, 50},
		{"group in flight", []string{"of message group"}, 50},
		{"kept too long", []string{"retention: "}, 50},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			broken, found := 0, 0
			for seed := range uint64(seeds) {
				toy := newToyQueues(seed, test.rule)
				v := Queues(toy.run(500), toy.rules)
				if !toy.isBroken {
					continue
				}
				broken++
				for _, by := range test.by {
					if strings.Contains(strings.Join(v.Faults, "\n"), by) {
						found++
						break
					}
				}
			}
			t.Logf("found in %d of %d histories", found, broken)
			if broken < 10 || found*100 < test.least*broken {
				t.Errorf("found in %d of %d histories, want %d %%", found, broken, test.least)
			}
		})
	}
}

// TestAHandleOfADeadMessageDeletesNothing deletes a message by its old handle when the queue for
// dead messages has given it out: a FIFO queue has to say no, unless it was purged or that was long ago.
func TestAHandleOfADeadMessageDeletesNothing(t *testing.T) {
	rules := map[string]QueueRules{"q.fifo": {IsFIFO: true, DeadQueue: "dead.fifo", MaxReceives: 1}, "dead.fifo": {IsFIFO: true}}
	for _, c := range []struct {
		what         string
		isDone       bool
		purges, late int64
		isFault      bool
	}{
		{"answered yes", true, 0, 0, true}, {"answered no", false, 0, 0, false},
		{"after a purge", true, 1, 0, false}, {"a day later", true, 0, 86400_000, false},
	} {
		now := int64(0)
		r := NewQueueRecorder(func() int64 { return now * 1e6 }, func() (int64, int64) { return now, now })
		do := func(queue string, o QueueOperation) {
			o.Queue, o.Outcome, o.Body = queue, Known, "x"
			first := r.Begin(o)
			now += 10
			r.End(first, o)
			now += 10
		}
		do("q.fifo", QueueOperation{Kind: Send, IsDone: true, Group: "g", MessageID: "1", Sequence: 1})
		d := Delivery{Body: "x", MessageID: "1", Handle: "old", Group: "g", Count: 1, Sequence: 1}
		do("q.fifo", QueueOperation{Kind: Receive, IsDone: true, Visibility: 1, Deliveries: []Delivery{d}})
		d.Handle, d.DeadSource = "new", "q.fifo"
		do("dead.fifo", QueueOperation{Kind: Receive, IsDone: true, Visibility: 1000, Deliveries: []Delivery{d}})
		for range c.purges {
			do("q.fifo", QueueOperation{Kind: Purge, IsDone: true})
		}
		now += c.late
		do("q.fifo", QueueOperation{Kind: Settle, IsDone: c.isDone, Handle: "old"})
		v := Queues(r.History(), rules)
		if isFault := strings.Contains(strings.Join(v.Faults, "\n"), "stale: "); isFault != c.isFault {
			t.Errorf("%s: %v", c.what, v.Faults)
		}
	}
}
