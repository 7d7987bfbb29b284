package check

import (
	"slices"
	"strings"
	"testing"
)

// A queue's operations in these tests, each begun at a millisecond and answered ten later.
func job(kind QueueKind, queue string, at int64) QueueOperation {
	return QueueOperation{Kind: kind, Queue: queue, Outcome: Known, IsDone: true, Begin: at * 1e6, End: (at + 10) * 1e6, Earliest: at, Latest: at + 10}
}

// sent is a send that was answered with the body as the id.
func sent(queue, body string, at int64) QueueOperation {
	o := job(Send, queue, at)
	o.Body, o.MessageID = body, body
	return o
}

// sentTo is one to a message group of a FIFO queue, answered with a number, too.
func sentTo(queue, body string, sequence uint64, at int64) QueueOperation {
	o := sent(queue, body, at)
	o.Group, o.Duplicate, o.Sequence = "g", body, sequence
	return o
}

// received is a receive for a second of what is told of it.
func received(queue string, at int64, given ...Delivery) QueueOperation {
	o := job(Receive, queue, at)
	o.Visibility, o.Deliveries = 1000, given
	return o
}

func counted(queue string, at, total int64) QueueOperation {
	o := job(Tally, queue, at)
	o.Total = total
	return o
}

func deletedFrom(queue, handle string, at int64) QueueOperation {
	o := job(Settle, queue, at)
	o.Handle = handle
	return o
}

// given is a message's first delivery, with the body as id and handle.
func given(body string, sentAt int64) Delivery {
	return Delivery{Body: body, MessageID: body, Handle: body, Count: 1, SentAt: sentAt}
}

// givenTo is that of a FIFO queue.
func givenTo(body string, sequence uint64, sentAt int64) Delivery {
	d := given(body, sentAt)
	d.Group, d.Sequence = "g", sequence
	return d
}

// but returns a changed operation.
func but(o QueueOperation, change func(o *QueueOperation)) QueueOperation {
	o.Deliveries = slices.Clone(o.Deliveries)
	change(&o)
	return o
}

func unanswered(o QueueOperation) QueueOperation {
	o.Outcome, o.IsDone, o.MessageID, o.Sequence, o.Latest = Unknown, false, "", 0, Always
	return o
}

// queueHistory is a history with the rule that it breaks; with none, it is right.
type queueHistory struct {
	name    string
	rules   QueueRules // of all its queues
	history []QueueOperation
	fault   string
}

func judgeHistories(t *testing.T, tests []queueHistory) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := map[string]QueueRules{}
			for _, o := range test.history {
				rules[o.Queue] = test.rules
			}
			v := Queues(test.history, rules)
			if test.fault == "" && !v.OK() {
				t.Errorf("all was right, and %v", v)
			}
			if test.fault != "" && (len(v.Faults) != 1 || !strings.HasPrefix(v.Faults[0], test.fault+": ")) {
				t.Errorf("want one fault, %q, not %v", test.fault, v)
			}
		})
	}
}

func TestWhatIsGivenOutIsWhatWasSent(t *testing.T) {
	fifo := QueueRules{IsFIFO: true, Window: 300_000}
	delivery := func(change func(d *Delivery)) []QueueOperation {
		d := givenTo("a", 7, 5)
		change(&d)
		return []QueueOperation{sentTo("q", "a", 7, 0), received("q", 100, d), deletedFrom("q", "a", 200)}
	}
	isB := func(o *QueueOperation) { o.Duplicate = "a" }
	repeated := but(sentTo("q", "b", 1, 100), func(o *QueueOperation) { o.Duplicate, o.MessageID = "a", "a" })
	judgeHistories(t, []queueHistory{
		{"the same", fifo, delivery(func(*Delivery) {}), ""},
		{"another id", fifo, delivery(func(d *Delivery) { d.MessageID = "b" }), "altered"},
		{"another group", fifo, delivery(func(d *Delivery) { d.Group = "h" }), "altered"},
		{"another number", fifo, delivery(func(d *Delivery) { d.Sequence = 8 }), "altered"},
		{"another number after a move", fifo, append([]QueueOperation{job(Move, "d", 20)}, delivery(func(d *Delivery) { d.Sequence, d.MessageID = 8, "b" })...), ""},
		{"who sent it was not answered", fifo, []QueueOperation{unanswered(sentTo("q", "a", 7, 0)), received("q", 100, givenTo("a", 9, 5)), deletedFrom("q", "a", 200)}, ""},
		{"two bodies of one deduplication id", fifo, []QueueOperation{sentTo("q", "a", 1, 0), but(sentTo("q", "b", 2, 100), isB),
			received("q", 200, givenTo("a", 1, 5), givenTo("b", 2, 105)), deletedFrom("q", "a", 300), deletedFrom("q", "b", 300)}, "sent twice"},
		{"two such, and one sender was not answered", fifo, []QueueOperation{sentTo("q", "a", 1, 0), unanswered(but(sentTo("q", "b", 2, 100), isB)),
			received("q", 200, givenTo("a", 1, 5), givenTo("b", 2, 105)), deletedFrom("q", "a", 300), deletedFrom("q", "b", 300)}, "sent twice"},
		{"two such of two groups", fifo, []QueueOperation{sentTo("q", "a", 1, 0), but(sentTo("q", "b", 2, 100), func(o *QueueOperation) { o.Duplicate, o.Group = "a", "h" }),
			received("q", 200, givenTo("a", 1, 5)), received("q", 220, func() Delivery { d := givenTo("b", 2, 105); d.Group = "h"; return d }()),
			deletedFrom("q", "a", 300), deletedFrom("q", "b", 300)}, ""},
		{"two such when the window is over", QueueRules{IsFIFO: true, Window: 50}, []QueueOperation{sentTo("q", "a", 1, 0), but(sentTo("q", "b", 2, 100), isB),
			received("q", 200, givenTo("a", 1, 5), givenTo("b", 2, 105)), deletedFrom("q", "a", 300), deletedFrom("q", "b", 300)}, ""},
		{"two such before and after a purge", fifo, []QueueOperation{sentTo("q", "a", 1, 0), job(Purge, "q", 50), but(sentTo("q", "b", 2, 100), isB),
			received("q", 200, givenTo("b", 2, 105)), deletedFrom("q", "b", 300)}, "sent twice"},
		{"another body that was taken for a repetition", fifo, []QueueOperation{sentTo("q", "a", 1, 0), repeated,
			received("q", 200, givenTo("a", 1, 5)), deletedFrom("q", "a", 300)}, ""},
		{"one that was, of a send without answer", fifo, []QueueOperation{unanswered(sentTo("q", "a", 1, 0)), repeated,
			received("q", 200, givenTo("a", 1, 5)), deletedFrom("q", "a", 300)}, ""},
	})
}

func TestWhatIsTooOldHoldsNothingBack(t *testing.T) {
	const keeps = 1000
	fifo := QueueRules{IsFIFO: true, Window: 300_000, Retention: keeps}
	behind := func(at int64) []QueueOperation {
		short := but(received("q", 10, givenTo("a", 1, 5)), func(o *QueueOperation) { o.Visibility = 100 })
		return []QueueOperation{sentTo("q", "a", 1, 0), short, sentTo("q", "b", 2, at-100), received("q", at, givenTo("b", 2, at-95)),
			deletedFrom("q", "b", at+100), counted("q", 5000, 0)}
	}
	strict := QueueRules{IsStrict: true, Retention: keeps}
	late := func(at int64) []QueueOperation {
		short := but(received("q", 10, given("a", 5)), func(o *QueueOperation) { o.Visibility = 100 })
		second := but(received("q", 200, given("a", 5)), func(o *QueueOperation) {
			o.Visibility, o.Deliveries[0].Handle, o.Deliveries[0].Count = 5000, "again", 2
		})
		return []QueueOperation{sent("q", "a", 0), short, second, deletedFrom("q", "a", at), counted("q", 5000, 0)}
	}
	capped := QueueRules{MaxInFlight: 1, Retention: keeps}
	beside := func(at int64) []QueueOperation {
		long := but(received("q", 10, given("a", 5)), func(o *QueueOperation) { o.Visibility = 5000 })
		return []QueueOperation{sent("q", "a", 0), long, sent("q", "b", at-100), received("q", at, given("b", at-95)),
			deletedFrom("q", "b", at+100), counted("q", 5000, 0)}
	}
	judgeHistories(t, []queueHistory{
		{"the group goes on", fifo, behind(3100), ""},
		{"it must not before", fifo, behind(500), "order"},
		{"a late delete is answered with yes", strict, late(2000), ""},
		{"it must not before", strict, late(500), "stale"},
		{"another one is leased", capped, beside(3100), ""},
		{"it must not before", capped, beside(500), "in flight"},
	})
}

func TestWhatIsSurelyThereIsCountedAndFound(t *testing.T) {
	const minute = 60_000
	short, plain := QueueRules{Retention: minute}, QueueRules{}
	never := func(between ...QueueOperation) []QueueOperation {
		return slices.Concat([]QueueOperation{sent("q", "a", 0)}, between, []QueueOperation{counted("q", 70_000, 0)})
	}
	removed := []QueueOperation{received("q", 1000, given("a", 5)), deletedFrom("q", "a", 1500)}
	purged := func(purge QueueOperation, between ...QueueOperation) []QueueOperation {
		return slices.Concat([]QueueOperation{sent("q", "a", 0)}, between, []QueueOperation{purge})
	}
	isDelayed := func(o *QueueOperation) { o.Delay = 5000 }
	withDead := QueueRules{DeadQueue: "d", MaxReceives: 1, Retention: minute}
	repetition := but(sentTo("q", "b", 1, 20), func(o *QueueOperation) { o.Duplicate, o.MessageID = "a", "a" })
	judgeHistories(t, []queueHistory{
		{"too old at the end", short, never(), ""},
		{"not counted before", short, never(counted("q", 20_000, 0)), "tally"},
		{"not counted when it may be too old", short, never(counted("q", minute-5, 0)), ""},
		{"not counted when it may be dead", withDead, never(unanswered(received("q", 1000)), counted("q", 20_000, 0)), ""},
		{"not found before", short, never(received("q", 5000), received("q", 10_000), received("q", 20_000), received("q", 50_000)), "lost"},
		{"not found when it may be too old", short, never(received("q", minute-5)), ""},
		{"not found when somebody may have a lease", short, never(unanswered(received("q", 1000)), received("q", 5000)), ""},
		{"not found in a queue with a rate", QueueRules{Retention: minute, Rate: 1}, never(received("q", 5000)), ""},
		{"not found in a queue with a cap", QueueRules{Retention: minute, MaxInFlight: 1}, never(received("q", 5000)), ""},
		{"found too late", plain, slices.Concat([]QueueOperation{sent("q", "a", 0), received("q", 100)}, removed), "lost"},
		{"delayed", plain, []QueueOperation{but(sent("q", "a", 0), isDelayed), received("q", 100), received("q", 6000, given("a", 5)), deletedFrom("q", "a", 6500)}, ""},
		{"not found while it was sent", plain, slices.Concat([]QueueOperation{sent("q", "a", 0), received("q", 5)}, removed), ""},
		{"not counted before a purge", plain, purged(job(Purge, "q", 500), counted("q", 100, 0)), "tally"},
		{"not counted after a purge", plain, purged(job(Purge, "q", 500), counted("q", 600, 0)), ""},
		{"not counted during a purge", plain, purged(job(Purge, "q", 95), counted("q", 100, 0)), ""},
		{"not counted after one without answer", plain, purged(unanswered(job(Purge, "q", 50)), counted("q", 100, 0)), ""},
		{"not counted after one that may have been before", plain, purged(job(Purge, "q", 5), counted("q", 100, 0)), ""},
		{"not counted after a move", plain, purged(job(Purge, "q", 500), job(Move, "q", 50), counted("q", 100, 0)), ""},
		{"not counted after a delete", plain, slices.Concat([]QueueOperation{sent("q", "a", 0)}, removed, []QueueOperation{counted("q", 2000, 0)}), ""},
		{"a repetition is not counted", QueueRules{IsFIFO: true, Window: 300_000}, []QueueOperation{sentTo("q", "a", 1, 0), repetition, counted("q", 100, 1), job(Purge, "q", 500)}, ""},
	})
}

func TestTheHighestPriorityComesFirst(t *testing.T) {
	urgent := func(s QueueOperation) QueueOperation { return but(s, func(o *QueueOperation) { o.Priority = 5 }) }
	grouped := func(s QueueOperation) QueueOperation {
		return but(urgent(s), func(o *QueueOperation) { o.Group = "g" })
	}
	// b is received before a.
	after := func(a QueueOperation, between ...QueueOperation) []QueueOperation {
		second := given("a", a.Begin/1e6)
		second.Group = a.Group
		return slices.Concat([]QueueOperation{a, sent("q", "b", 50)}, between, []QueueOperation{received("q", 100, given("b", 55)),
			received("q", 200, second), deletedFrom("q", "a", 300), deletedFrom("q", "b", 300)})
	}
	rules := QueueRules{HasPriority: true}
	limited := QueueRules{HasPriority: true, GroupMaxInFlight: 1}
	again := after(urgent(sent("q", "a", 0)))
	again[3].Deliveries[0].Count = 2 // whoever had it first was not answered
	judgeHistories(t, []queueHistory{
		{"the lower one first", rules, after(urgent(sent("q", "a", 0))), "priority"},
		{"of a group without limits", rules, after(grouped(sent("q", "a", 0))), "priority"},
		{"of a group with a limit", limited, after(grouped(sent("q", "a", 0))), ""},
		{"of a queue that looks at parts", QueueRules{}, after(urgent(sent("q", "a", 0))), ""},
		{"the same priority", rules, after(sent("q", "a", 0)), ""},
		{"sent meanwhile", rules, after(urgent(sent("q", "a", 95))), ""},
		{"to come later", rules, after(but(urgent(sent("q", "a", 0)), func(o *QueueOperation) { o.NotBefore = 150 })), ""},
		{"leased by who was not answered", rules, append(again, unanswered(received("q", 60))), ""},
		{"both together", rules, []QueueOperation{urgent(sent("q", "a", 0)), sent("q", "b", 50), received("q", 100, given("a", 5), given("b", 55)),
			deletedFrom("q", "a", 300), deletedFrom("q", "b", 300)}, ""},
		{"never given out", rules, []QueueOperation{urgent(sent("q", "a", 0)), sent("q", "b", 50), received("q", 100, given("b", 55)),
			deletedFrom("q", "b", 300), job(Purge, "q", 400)}, "priority"},
		{"purged before", rules, []QueueOperation{urgent(sent("q", "a", 0)), unanswered(job(Purge, "q", 20)), sent("q", "b", 50), received("q", 100, given("b", 55)),
			deletedFrom("q", "b", 300)}, ""},
	})
}
