package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"flotilla"
)

// This file is a shell, as are all whose names begin with client: the only ones in the
// package that wait for others.

// Client asks for things on behalf of doors. It knows which group a queue belongs to,
// by its name's slot, and which of its partitions a message, if it is spread. What a
// method returns as error is an *Error, the machine's answer, or a *flotilla.Failure.
// Its methods may be called from any goroutine.
type Client struct {
	host    flotilla.Host
	cancel  func()
	carry   chan struct{} // has room for one: there is something to be carried
	mu      sync.Mutex
	waiting map[string][]*waiter    // guarded by mu: who waits for a queue's messages, the first to be woken first
	spreads map[string]*spreadQueue // guarded by mu: queues that were found to be spread, maxSpreads at most
	life    *life                   // what happened to jobs
}

// NewClient returns a client that sends its commands through host. Close has to be
// called when it is not needed any more.
func NewClient(host flotilla.Host) *Client {
	c := &Client{host: host, carry: make(chan struct{}, 1), waiting: map[string][]*waiter{}, spreads: map[string]*spreadQueue{}, life: &life{}}
	c.cancel = host.Subscribe(flotilla.SystemQueue, c.hear)
	return c
}

// Through returns a client that sends its commands through another host of the same node,
// and notes what happens to jobs where this one does. It hears no events, and so is no good
// for long polls; it need not be closed.
func (c *Client) Through(host flotilla.Host) *Client {
	return &Client{host: host, cancel: func() {}, carry: c.carry, waiting: map[string][]*waiter{}, spreads: map[string]*spreadQueue{}, life: c.life}
}

// Close ends the subscription to the host's events.
func (c *Client) Close() { c.cancel() }

// GroupOf returns the group that a queue belongs to, or the directory if none does yet.
func (c *Client) GroupOf(queueName string) flotilla.GroupID {
	slots := c.host.Topology().SlotMap
	if slots == nil {
		return flotilla.Directory
	}
	return slots[slotOf(queueName)]
}

// Do sends a command that changes something to the group of a queue, or to its
// partitions, and fills reply.
func (c *Client) Do(ctx context.Context, queueName string, command Command, reply Reply) error {
	err := c.carryOut(ctx, queueName, false, command, reply)
	c.note(ctx, queueName, command, reply, err)
	return err
}

// Read sends a command that changes nothing, and fills reply.
func (c *Client) Read(ctx context.Context, queueName string, command Command, reply Reply) error {
	return c.carryOut(ctx, queueName, true, command, reply)
}

// carryOut asks the queue's group, which says so if it is its partitions that should be
// asked; of a queue that is known to be spread they are asked at once.
func (c *Client) carryOut(ctx context.Context, queueName string, isRead bool, command Command, reply Reply) error {
	if s := c.spread(queueName); s != nil && isForPartitions(command) {
		err := c.askSpread(ctx, s, command, reply)
		if !isCode(err, CodeQueueDoesNotExist) {
			return err
		}
		c.forgetSpread(s) // there may be another queue of that name
	}
	err := c.ask(ctx, &flotilla.Call{Group: c.GroupOf(queueName), IsRead: isRead}, command, reply)
	if isCode(err, codeSpread) {
		return c.askSpread(ctx, c.keepSpread(err), command, reply)
	}
	if err != nil {
		return err
	}
	return c.followUp(ctx, queueName, reply)
}

// followUp does what a reply says that the client has to do.
func (c *Client) followUp(ctx context.Context, queueName string, reply Reply) error {
	isBegun := false
	switch r := reply.(type) {
	case *Done:
		isBegun = r.isBegun
	case *MoveStarted:
		isBegun = r.begun.isBegun
	case *MoveCancelled:
		isBegun = r.begun.isBegun
	case *QueueAttributes:
		if len(r.route.Slots) > 0 {
			return c.addUp(ctx, c.keepRoute(r.route), r)
		}
	}
	if !isBegun {
		return nil
	}
	_, err := c.settle(ctx, queueName)
	return err
}

func (c *Client) ask(ctx context.Context, call *flotilla.Call, command Command, reply Reply) error {
	if call.Group == flotilla.Directory {
		return flotilla.Refused(flotilla.NoQuorum, "no group serves the queue's slot yet")
	}
	call.Commands = [][]byte{Encode(nil, command)}
	c.host.Do(ctx, call)
	if call.Err != nil {
		return call.Err
	}
	return DecodeReply(call.Replies[0], reply)
}

// CreateQueue creates a queue, with a secret of its own. With the attribute Partitions it
// is spread over that many groups, or as many as there are.
func (c *Client) CreateQueue(ctx context.Context, command CreateQueue) error {
	command.Secret = make([]byte, 32)
	_, _ = rand.Read(command.Secret) // never fails
	command.Slots = c.slotsFor(command.QueueName, command.Attributes)
	grave, err := c.findGrave(ctx, command.QueueName, command.Attributes)
	if err != nil {
		return err
	}
	command.IsDeadTargetElsewhere = grave.isElsewhere
	err = c.Do(ctx, command.QueueName, &command, &Done{})
	if !isCode(err, codeUnsettled) {
		return grave.explain(err)
	}
	if _, err := c.settle(ctx, command.QueueName); err != nil { // one of that name is still being deleted
		return flotilla.Refused(flotilla.NoQuorum, "a queue of that name is still being deleted: "+err.Error())
	}
	return grave.explain(c.Do(ctx, command.QueueName, &command, &Done{}))
}

// SetQueueAttributes changes attributes of a queue.
func (c *Client) SetQueueAttributes(ctx context.Context, command SetQueueAttributes) error {
	grave, err := c.findGrave(ctx, command.QueueName, command.Attributes)
	if err != nil {
		return err
	}
	command.IsDeadTargetElsewhere = grave.isElsewhere
	return grave.explain(c.Do(ctx, command.QueueName, &command, &Done{}))
}

// grave is what was found of the queue for dead messages that a redrive policy names.
type grave struct {
	isElsewhere bool   // it is in another group, and takes the queue's dead messages
	denying     string // the policy, if that queue is in another group and does not
}

// findGrave looks for a queue of another group that a redrive policy names; of the queue's
// own group the machine knows.
func (c *Client) findGrave(ctx context.Context, queueName string, attributes []Pair) (g grave, err error) {
	i := slices.IndexFunc(attributes, func(p Pair) bool { return p.Name == textNames[redrivePolicy] })
	if i < 0 {
		return g, nil
	}
	target, _, bad := parseRedrive(attributes[i].Value)
	if bad != nil || target == "" || c.GroupOf(target) == c.GroupOf(queueName) {
		return g, nil // the machine can tell
	}
	about, err := c.find(ctx, target)
	if about == nil {
		return g, err
	}
	s := standardSettings()
	if i := slices.IndexFunc(about.Attributes, func(p Pair) bool { return p.Name == textNames[redriveAllowPolicy] }); i >= 0 {
		s.texts[redriveAllowPolicy] = about.Attributes[i].Value
	}
	if g.isElsewhere = s.allows(queueName); !g.isElsewhere {
		g.denying = attributes[i].Value
	}
	return g, nil
}

// explain returns what the machine answered. It can not tell a queue of another group that
// denies from one that is missing, and is asked all the same: it may have other reasons.
func (g grave) explain(err error) error {
	var answer *Error
	if g.denying != "" && errors.As(err, &answer) && *answer == *noGrave(g.denying) {
		return deniedGrave(g.denying)
	}
	return err
}

// find returns all about a queue, or nil if there is none.
func (c *Client) find(ctx context.Context, queueName string) (*QueueAttributes, error) {
	var about QueueAttributes
	err := c.Read(ctx, queueName, &GetQueueAttributes{QueueName: queueName}, &about)
	if isCode(err, CodeQueueDoesNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &about, nil
}

func isCode(err error, code string) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Code == code
}

// StartMessageMoveTask begins to move a queue's messages. The destination may be in
// another group.
func (c *Client) StartMessageMoveTask(ctx context.Context, command StartMessageMoveTask) (reply MoveStarted, err error) {
	to := command.DestinationQueue
	if to != "" && c.GroupOf(to) != c.GroupOf(command.SourceQueue) {
		about, err := c.find(ctx, to)
		if err != nil {
			return reply, err
		}
		command.IsDestinationElsewhere = about != nil
	}
	var tasks MoveTasks
	err = c.Read(ctx, command.SourceQueue, &ListMessageMoveTasks{SourceQueue: command.SourceQueue}, &tasks)
	if err == nil && len(tasks.Results) > 0 && tasks.Results[0].Status != MoveRunning {
		command.LastTask = tasks.Results[0].TaskHandle
	}
	err = c.Do(ctx, command.SourceQueue, &command, &reply)
	return reply, err
}

// zoneYears is how far ahead a recurring message knows its zone's rules; after that
// the clocks stay as they are, until it is put again.
const zoneYears = 20

// PutRecurring adds a recurring message. Zone is a name of the IANA time zone
// database, such as Europe/Berlin; empty is UTC.
func (c *Client) PutRecurring(ctx context.Context, command PutRecurring) error {
	zone, err := time.LoadLocation(command.Zone)
	if err != nil {
		return invalid("Value " + command.Zone + " for parameter Zone is invalid. Reason: " + err.Error())
	}
	command.Offsets = zoneOffsets(zone, time.Now())
	return c.Do(ctx, command.QueueName, &command, &Done{})
}

// zoneOffsets returns a zone's offsets from a time on.
func zoneOffsets(zone *time.Location, from time.Time) (all []ZoneOffset) {
	end := from.AddDate(zoneYears, 0, 0)
	from, _ = from.In(zone).ZoneBounds() // so that the first change is known, too
	if from.IsZero() {
		from = time.UnixMilli(0)
	}
	for at := from.In(zone); at.Before(end); {
		_, seconds := at.Zone()
		if len(all) == 0 || all[len(all)-1].Seconds != int64(seconds) {
			all = append(all, ZoneOffset{From: flotilla.Millis(at.UnixMilli()), Seconds: int64(seconds)})
		}
		_, next := at.ZoneBounds()
		if next.IsZero() {
			break
		}
		if !next.After(at) { // bounds of far years also fall on the last day of leap years, and end there
			next = at.AddDate(0, 0, 1)
		}
		at = next
	}
	return all
}

// ListQueues returns one page of the names of all groups' queues, in order.
func (c *Client) ListQueues(ctx context.Context, command ListQueues) (QueueNames, error) {
	return c.everywhere(ctx, &command, command.MaxResults)
}

// ListDeadLetterSourceQueues returns one page of the queues, of all groups, whose
// dead messages go to a queue.
func (c *Client) ListDeadLetterSourceQueues(ctx context.Context, command ListDeadLetterSourceQueues) (QueueNames, error) {
	return c.everywhere(ctx, &command, command.MaxResults)
}

// everywhere asks all groups for a page of names, and makes one of them.
func (c *Client) everywhere(ctx context.Context, command Command, limit int64) (all QueueNames, err error) {
	encoded := Encode(nil, command)
	var calls []*flotilla.Call
	for _, group := range c.groups() {
		calls = append(calls, &flotilla.Call{Group: group, IsRead: true, Commands: [][]byte{encoded}})
	}
	if len(calls) == 0 {
		return all, flotilla.Refused(flotilla.NoQuorum, "no group serves the slots yet")
	}
	c.host.Do(ctx, calls...)
	for _, call := range calls {
		if call.Err != nil {
			return all, call.Err
		}
		var page QueueNames
		if err := DecodeReply(call.Replies[0], &page); err != nil {
			return all, err
		}
		all.Names = append(all.Names, page.Names...)
		all.HasMore = all.HasMore || page.HasMore
	}
	slices.Sort(all.Names)
	if int64(len(all.Names)) > limit {
		all.Names, all.HasMore = all.Names[:limit], true
	}
	return all, nil
}

// groups returns all groups that own slots.
func (c *Client) groups() (all []flotilla.GroupID) {
	for _, g := range c.host.Topology().Groups {
		if g.ID != flotilla.Directory {
			all = append(all, g.ID)
		}
	}
	return all
}
