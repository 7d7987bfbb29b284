package sim

import (
	"slices"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/queue"
)

// emptyFor is how long it may take to empty all queues at the end. Leases and delays are
// over by then but for some seconds, and dead messages have to go from group to group.
const emptyFor = 120 * time.Second

// drain empties all queues, until they count nothing, and no outbox has anything.
func (w *world) drain() {
	if w.queues == nil {
		return
	}
	var last queue.Counters
	name := ""
	c := newClient(w, drainers, func(c *client) {
		for isEmpty := false; !isEmpty; c.sleep(time.Second) {
			isEmpty = c.areOutboxesEmpty()
			for _, s := range w.queues.all {
				isEmpty = c.empty(s) && isEmpty
				var o check.QueueOperation
				var n queue.Counters
				if o, n = c.tally(s.name); o.Outcome != check.Known || o.Total != 0 {
					isEmpty, name, last = false, s.name, n
				}
			}
		}
	})
	c.home = nil
	w.after(0, c.resume)
	if !w.await(w.now+emptyFor, func() bool { return c.isEnded }) {
		w.fault("tally: %v were not enough to empty all queues: %s still counts %+v", emptyFor, name, last)
	}
	c.stop()
}

// empty receives and deletes until nothing comes, and reports whether nothing came at once.
func (c *client) empty(s simQueue) (isEmpty bool) {
	for round := 0; ; round++ {
		for !c.connect() {
			c.sleep(failurePause)
		}
		o := c.receiveOnce(queue.ReceiveMessage{QueueName: s.name, MaxNumberOfMessages: queue.MaxBatchEntries, VisibilityTimeout: 30})
		if o.Outcome != check.Known {
			c.hangUp()
			return false
		}
		if len(o.Deliveries) == 0 {
			return round == 0
		}
		for _, d := range o.Deliveries {
			h := &held{queue: s.name, handle: d.Handle}
			for c.settle(h).Outcome != check.Known {
				c.hangUp()
				for !c.connect() {
					c.sleep(failurePause)
				}
			}
		}
	}
}

// areOutboxesEmpty reports whether nothing is on its way from group to group.
func (c *client) areOutboxesEmpty() bool {
	for !c.connect() {
		c.sleep(failurePause)
	}
	for g := range c.w.plan.Groups {
		call := &flotilla.Call{Group: flotilla.GroupID(g + 1), IsRead: true, Commands: [][]byte{queue.Encode(nil, &queue.ReadOutbox{})}}
		c.host.Do(background, call)
		var box queue.Outbox
		if call.Err != nil || queue.DecodeReply(call.Replies[0], &box) != nil || len(box.Parcels) > 0 {
			return false
		}
	}
	return true
}

// judgeQueues holds what clients were told by queues against what was promised. Where a
// clock was set back, an operation may have happened earlier than it seemed.
func (w *world) judgeQueues() {
	if w.queues == nil {
		return
	}
	history := w.queues.recorder.History()
	for i := range history {
		o := &history[i]
		i, _ := slices.BinarySearch(w.expiries.jumpedAt, time.Duration(o.Begin))
		if i < len(w.expiries.jumpedAt) && (o.Outcome != check.Known || int64(w.expiries.jumpedAt[i]) <= o.End) {
			o.Earliest = 0
		}
	}
	w.found("queues", check.Queues(history, w.queues.rules))
	w.counts["queue operations"] += uint64(len(history))
}
