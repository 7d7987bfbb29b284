package queue

import (
	"context"
	"time"

	"flotilla"
)

// This file is a shell: it carries what has to go from one group to another.

// carryMillis is how often it is looked for something to be carried without having
// been told, carryAgain how soon after something was found.
const (
	carryMillis = 1000
	carryAgain  = 20
)

// Run carries messages from the outboxes of the groups that this node leads to their
// targets, and settles plans that were left half way, until ctx ends. Every node runs it; that two do so at a time is no harm.
func (c *Client) Run(ctx context.Context) {
	for {
		pause := carryMillis * time.Millisecond
		if c.Carry(ctx) {
			pause = carryAgain * time.Millisecond
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-c.carry:
			timer.Stop()
		}
	}
}

// Carry empties the outboxes of the groups that this node leads by one parcel each, and
// reports whether there was any. A failure is left for the next time, and so is what else goes to the
// same group: others do not wait for it. Run does so again and again; who has no goroutines calls it.
func (c *Client) Carry(ctx context.Context) (hasMore bool) {
	for _, g := range c.host.Topology().Groups {
		if g.ID == flotilla.Directory || g.Leader != c.host.Self() {
			continue
		}
		hasMore = c.carryFrom(ctx, g.ID) || hasMore
	}
	return hasMore
}

// carryFrom is Carry for one group.
func (c *Client) carryFrom(ctx context.Context, from flotilla.GroupID) (hasMore bool) {
	failed := map[flotilla.GroupID]bool{}
	for after := ""; ; {
		var box Outbox
		if c.ask(ctx, &flotilla.Call{Group: from, IsRead: true}, &ReadOutbox{After: after}, &box) != nil {
			return hasMore
		}
		for _, parcel := range box.Parcels {
			if to := c.GroupOf(parcel.Target); !failed[to] {
				failed[to] = !c.carryOne(ctx, from, parcel)
				hasMore = hasMore || !failed[to]
			}
		}
		if after == "" {
			for _, name := range box.Unsettled {
				_, _ = c.settle(ctx, name) // if it fails, it is tried again
			}
		}
		if !box.HasMore {
			return hasMore
		}
		after = box.Parcels[len(box.Parcels)-1].Target
	}
}

func (c *Client) carryOne(ctx context.Context, from flotilla.GroupID, parcel OutboxParcel) bool {
	var delivered Delivered
	if c.ask(ctx, &flotilla.Call{Group: c.GroupOf(parcel.Target)}, &Deliver{From: from, Parcel: parcel}, &delivered) != nil {
		return false
	}
	settle := &SettleOutbox{Target: parcel.Target, Through: delivered.Through, IsRefused: delivered.IsRefused}
	return c.ask(ctx, &flotilla.Call{Group: from}, settle, &Done{}) == nil
}
