package sim

import (
	"errors"
	"fmt"
	"time"

	"flotilla"
	"flotilla/queue"
)

// everyMinute is a queue to which only it itself sends: a message a minute, whoever leads then, and
// whatever became of the others. Nobody receives them before the end.
const everyMinute = "every-minute"

// recurring is what is known of that message since the queue was told of it.
type recurring struct {
	next flotilla.Millis // when it was to be sent first
}

// recur creates the queue, and has it send itself the message. A purge does not end that.
func (c *client) recur() {
	q := queue.CreateQueue{QueueName: everyMinute, Attributes: []queue.Pair{{Name: "MessageRetentionPeriod", Value: "1209600"}}}
	c.insistOn("create "+everyMinute, func() error { return c.queue.CreateQueue(background, q) })
	put := &queue.PutRecurring{QueueName: everyMinute, Name: "tick", Cron: "* * * * *", Entry: queue.SendEntry{MessageBody: []byte("tick"), DelaySeconds: -1}}
	c.insistOn("have a message recur", func() error { return c.queue.Do(background, everyMinute, put, &queue.Done{}) })
	c.insistOn("purge "+everyMinute, func() error {
		err := c.queue.Do(background, everyMinute, &queue.PurgeQueue{QueueName: everyMinute}, &queue.Done{})
		var no *queue.Error
		if errors.As(err, &no) && no.Code == queue.CodePurgeInProgress {
			return nil // it was done, and the answer was lost
		}
		return err
	})
	c.insistOn("ask when it recurs", func() (err error) {
		c.w.queues.recurring.next, err = c.nextRun()
		return err
	})
}

// nextRun asks when the message is sent next.
func (c *client) nextRun() (flotilla.Millis, error) {
	var all queue.Recurrings
	err := c.queue.Read(background, everyMinute, &queue.ListRecurring{QueueName: everyMinute}, &all)
	if err != nil {
		return 0, err
	}
	if len(all.Results) != 1 {
		return 0, fmt.Errorf("%d recurring messages: %w", len(all.Results), flotilla.ErrUnknown)
	}
	return all.Results[0].NextRun, nil
}

// How long after the slowest clock says so a message has recurred, in a calm cluster, also one that could
// not be sent for want of room; and how long it may take to ask for all.
const (
	recurLate = 7 * time.Second
	recurFor  = 30 * time.Second
)

// judgeRecurring: the next message is not late, there was one if its time has come, and no two are
// of one minute.
func (w *world) judgeRecurring() {
	if w.queues == nil {
		return
	}
	shown := w.slowest()
	var next flotilla.Millis
	var sent []flotilla.Millis
	c := newClient(w, recurrers, func(c *client) {
		c.sleep(recurLate)
		c.insistOn("ask when it recurs", func() (err error) { next, err = c.nextRun(); return err })
		for more := true; more; {
			c.insistOn("receive what recurred", func() error {
				reply, err := c.queue.ReceiveMessage(background, queue.ReceiveMessage{QueueName: everyMinute, MaxNumberOfMessages: queue.MaxBatchEntries, VisibilityTimeout: 3600}, 0)
				for _, m := range reply.Messages {
					sent = append(sent, m.SentTimestamp)
				}
				more = err == nil && len(reply.Messages) > 0
				return err
			})
		}
	})
	c.home = nil
	w.after(0, c.resume)
	if !w.await(w.now+recurFor, func() bool { return c.isEnded }) {
		w.fault("recurring: %v were not enough to ask for what recurred", recurFor)
	}
	c.stop()
	const minute = 60_000
	times := map[flotilla.Millis]int{}
	for _, at := range sent {
		if times[at/minute]++; times[at/minute] == 2 {
			w.fault("recurring: of %d messages, more than one was sent in the minute of %d", len(sent), at)
		}
		w.count("message recurred")
	}
	if first := w.queues.recurring.next; next <= shown || len(sent) == 0 && first <= shown {
		w.fault("recurring: the next message is to be sent at %d, the first was at %d, there were %d, and all clocks have shown %d for %v", next, first, len(sent), shown, recurLate)
	}
}
