package queue

import (
	"context"
	"slices"
	"strings"

	"flotilla"
)

// SummarizeQueues asks for the counters of a group's queues, in order of their names,
// a read; Summaries. It is what metrics are made of.
type SummarizeQueues struct{ MaxResults int64 }

func (*SummarizeQueues) op() byte          { return 'z' }
func (m *SummarizeQueues) fields(c *coder) { c.int(&m.MaxResults) }

// Summary is one queue in numbers.
type Summary struct {
	QueueName           string
	Counters            Counters
	OldestSentTimestamp flotilla.Millis // when the oldest message was sent to this queue; 0: there is none

	Group flotilla.GroupID // whose the queue is, or a part of it; set by Client.Summaries
}

// Summaries is the reply to SummarizeQueues.
type Summaries struct {
	Queues  []Summary
	HasMore bool
}

func (m *Summaries) fields(c *coder) {
	list(c, &m.Queues, func(s *Summary) {
		c.text(&s.QueueName)
		s.Counters.fields(c)
		c.millis(&s.OldestSentTimestamp)
	})
	c.bool(&m.HasMore)
}

// summarize adds up what the group has of each queue: the queue itself, or partitions.
func (e *entry) summarize(c *SummarizeQueues) (Reply, *Error) {
	page, err := e.list("", "", c.MaxResults, func([]byte) bool { return true })
	if err != nil {
		return nil, err
	}
	names := page.(*QueueNames)
	all, hasMore := names.Names, names.HasMore
	start := []byte{byte(flotilla.SystemQueue), spacePartition}
	bases, last := int64(0), ""
	for key := range e.r.Scan(start, prefixEnd(start)) {
		if base, _ := baseOf(string(key[len(start):])); base != last {
			bases, last = bases+1, base
		}
		if bases > c.MaxResults {
			hasMore = true
			break
		}
		all = append(all, string(key[len(start):]))
	}
	reply := &Summaries{HasMore: hasMore}
	places := map[string]int{}
	for _, name := range all {
		q := e.queue(name)
		if q == nil || q.isSpread() {
			continue
		}
		base, _ := baseOf(name)
		place, isKnown := places[base]
		if !isKnown {
			place, places[base] = len(reply.Queues), len(reply.Queues)
			reply.Queues = append(reply.Queues, Summary{QueueName: base})
		}
		reply.Queues[place].add(q.counters, e.oldest(q))
	}
	return reply, nil
}

// add adds what one part of a queue has.
func (s *Summary) add(n Counters, oldest flotilla.Millis) {
	sum := &s.Counters
	for _, pair := range []struct {
		to *uint64
		n  uint64
	}{{&sum.Ready, n.Ready}, {&sum.Leased, n.Leased}, {&sum.Delayed, n.Delayed}, {&sum.Scheduled, n.Scheduled}, {&sum.Sent, n.Sent},
		{&sum.Received, n.Received}, {&sum.Deleted, n.Deleted}, {&sum.Expired, n.Expired}, {&sum.Dead, n.Dead}, {&sum.Stale, n.Stale},
		{&sum.Duplicates, n.Duplicates}, {&sum.LeasesEnded, n.LeasesEnded}} {
		*pair.to += pair.n
	}
	if oldest != 0 && (s.OldestSentTimestamp == 0 || oldest < s.OldestSentTimestamp) {
		s.OldestSentTimestamp = oldest
	}
}

// oldest returns when the oldest message was sent to the queue; 0 if it has none.
func (e *entry) oldest(q *queue) flotilla.Millis {
	if number, ok := e.next(q.live(), 0); ok {
		return e.body(q, number).arrived
	}
	return 0
}

// Summaries returns the queues of all groups that this node leads, limit at most of
// each, as its own copies have them: each queue, or each part of one, is told of by one
// node, but for the second after a change of leaders. A group that does not answer is
// left out.
func (c *Client) Summaries(ctx context.Context, limit int64) (all Summaries) {
	for _, g := range c.host.Topology().Groups {
		if g.ID == flotilla.Directory || g.Leader != c.host.Self() {
			continue
		}
		var some Summaries
		call := &flotilla.Call{Group: g.ID, IsRead: true, Level: flotilla.Eventual}
		if c.ask(ctx, call, &SummarizeQueues{MaxResults: limit}, &some) != nil {
			continue
		}
		for _, s := range some.Queues {
			s.Group = g.ID
			all.Queues = append(all.Queues, s)
		}
		all.HasMore = all.HasMore || some.HasMore
	}
	return all
}

// Depths returns the queues of all groups, each once, limit at most of each group, as their
// leaders have them. Of groups that do not answer, failed tells why; parts of queues that
// are spread over them are missing.
func (c *Client) Depths(ctx context.Context, limit int64) (all Summaries, failed map[flotilla.GroupID]error) {
	command := Encode(nil, &SummarizeQueues{MaxResults: limit})
	var calls []*flotilla.Call
	for _, group := range c.groups() {
		calls = append(calls, &flotilla.Call{Group: group, IsRead: true, Commands: [][]byte{command}})
	}
	c.host.Do(ctx, calls...)
	failed, places := map[flotilla.GroupID]error{}, map[string]int{}
	for _, call := range calls {
		var some Summaries
		if call.Err == nil {
			call.Err = DecodeReply(call.Replies[0], &some)
		}
		if call.Err != nil {
			failed[call.Group] = call.Err
			continue
		}
		all.HasMore = all.HasMore || some.HasMore
		for _, s := range some.Queues {
			place, isKnown := places[s.QueueName]
			if !isKnown {
				place, places[s.QueueName] = len(all.Queues), len(all.Queues)
				all.Queues = append(all.Queues, Summary{QueueName: s.QueueName, Group: c.GroupOf(s.QueueName)})
			}
			all.Queues[place].add(s.Counters, s.OldestSentTimestamp)
		}
	}
	slices.SortFunc(all.Queues, func(a, b Summary) int { return strings.Compare(a.QueueName, b.QueueName) })
	return all, failed
}
