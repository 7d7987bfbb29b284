package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"flotilla"
)

// This file is a shell: it creates, changes and deletes spread queues (partition.go).

// slotsFor chooses where the partitions of a new queue are to be: in different groups,
// the first in that of its name.
func (c *Client) slotsFor(queueName string, attributes []Pair) (slots []uint64) {
	groups := c.host.Topology().SlotMap
	i := slices.IndexFunc(attributes, func(p Pair) bool { return p.Name == attributeTable[partitions].name })
	if i < 0 || groups == nil {
		return nil
	}
	wanted, ok := attributeTable[partitions].parse(attributes[i].Value)
	if !ok {
		return nil // the machine says so
	}
	isTaken := map[flotilla.GroupID]bool{flotilla.Directory: true}
	for i := range wanted {
		start := int64(slotOf(queueName)) + i*flotilla.Slots/wanted
		for step := range int64(flotilla.Slots) {
			slot := (start + step) % flotilla.Slots
			if group := groups[slot]; !isTaken[group] {
				isTaken[group] = true
				slots = append(slots, uint64(slot))
				break
			}
		}
	}
	return slots
}

// settle tells a spread queue's plan to all its partitions, until it is settled. It
// returns the plan, or nil if there is no such queue any more.
func (c *Client) settle(ctx context.Context, queueName string) (*Plan, error) {
	home := c.GroupOf(queueName)
	for range 10 { // others may change it meanwhile
		var p Plan
		err := c.ask(ctx, &flotilla.Call{Group: home, IsRead: true}, &ReadPlan{QueueName: queueName}, &p)
		if isCode(err, CodeQueueDoesNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, unfinished(err)
		}
		if p.IsSettled {
			return &p, nil
		}
		calls := make([]*flotilla.Call, len(p.Route.Slots))
		for i := range calls {
			calls[i] = &flotilla.Call{Group: c.GroupOf(p.Route.partition(i)), Commands: [][]byte{Encode(nil, &MatchPartition{Index: i, Plan: p})}}
		}
		c.host.Do(ctx, calls...)
		for _, call := range calls {
			if err := cmp.Or(call.Err, replyIn(call, &Done{})); err != nil {
				return nil, unfinished(err)
			}
		}
		settled := &SettlePlan{QueueName: queueName, ID: p.Route.ID, Generation: p.plan.generation}
		if err := c.ask(ctx, &flotilla.Call{Group: home}, settled, &Done{}); err != nil {
			return nil, unfinished(err)
		}
	}
	return nil, unfinished(errors.New("it is changed again and again"))
}

// unfinished says that a change which was begun is not everywhere yet.
func unfinished(err error) error {
	var answer *Error
	if errors.As(err, &answer) {
		return answer
	}
	return flotilla.Unknown(cmp.Or(flotilla.ReasonOf(err), flotilla.Timeout),
		"not all partitions of the queue know yet; they will when their groups answer: "+err.Error())
}

// replyIn returns what is in a call's reply, if the call has no Err.
func replyIn(call *flotilla.Call, reply Reply) error {
	if call.Err != nil {
		return nil
	}
	return DecodeReply(call.Replies[0], reply)
}
