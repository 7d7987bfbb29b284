package cluster

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/consensus"
)

// Do carries out calls; see flotilla.Host.
func (s *Server) Do(ctx context.Context, calls ...*flotilla.Call) {
	if len(calls) == 1 {
		if p := s.begin(calls[0]); p != nil {
			s.wait(ctx, p)
		}
		return
	}
	open := make([]*pending, 0, len(calls))
	for _, c := range calls {
		if p := s.begin(c); p != nil {
			open = append(open, p)
		}
	}
	for _, p := range open {
		s.wait(ctx, p)
	}
}

// begin answers a call at once if that can be done, or hands it to the loop.
func (s *Server) begin(c *flotilla.Call) *pending {
	c.Err = nil
	if len(c.Commands) == 0 {
		c.Replies = c.Replies[:0]
		return nil
	}
	if c.IsRead && s.readNow(c) {
		return nil
	}
	size := 0
	for _, command := range c.Commands {
		size += len(command) + 4
		if len(command) > consensus.MaxCommandBytes {
			c.Err = flotilla.Refused(flotilla.TooLarge, "")
			return nil
		}
	}
	if s.waitingCommands.Load()+int64(len(c.Commands)) > MaxWaitingCommands || s.waitingBytes.Load()+int64(size) > MaxWaitingBytes {
		s.busy.Add(uint64(len(c.Commands)))
		c.Err = flotilla.Refused(flotilla.Busy, "")
		return nil
	}
	p, ok := c.Private.(*pending)
	if !ok {
		p = &pending{done: make(chan struct{}, 1)}
		c.Private = p
	}
	p.call, p.bytes, p.deadline = c, size, s.mono()+requestMillis
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		c.Err = flotilla.Refused(flotilla.Stopping, "")
		return nil
	}
	s.inbox.calls = append(s.inbox.calls, p)
	mayWait := false
	if int(c.Group) < len(s.gathers) {
		g := s.gathers[c.Group]
		mayWait = !c.IsRead && g.writes || c.IsRead && c.Level == flotilla.Linearizable && g.reads
	}
	s.mu.Unlock()
	s.waitingCommands.Add(int64(len(c.Commands)))
	s.waitingBytes.Add(int64(size))
	if !mayWait {
		s.poke()
	}
	return p
}

// wait returns once the loop has answered; a read that it let through looks then.
func (s *Server) wait(ctx context.Context, p *pending) {
	select {
	case <-p.done:
	case <-ctx.Done():
		s.mu.Lock()
		if !s.ended {
			s.inbox.cancels = append(s.inbox.cancels, p)
		}
		s.mu.Unlock()
		s.poke()
		<-p.done
	}
	s.waitingCommands.Add(-int64(len(p.call.Commands)))
	s.waitingBytes.Add(-int64(p.bytes))
	if p.call.IsRead && p.call.Err == nil && !p.isAnswered {
		if h, ok := s.published.Load().hosted[p.call.Group]; ok {
			view := h.state.View(p.call.IsLong)
			defer view.Close()
			s.look(p.call, view)
			return
		}
		p.call.Err = flotilla.Refused(flotilla.NotHere, "")
	}
}

// readNow answers a read that needs no one else from this node's state.
func (s *Server) readNow(c *flotilla.Call) bool {
	if c.Level == flotilla.Linearizable {
		return false
	}
	h, ok := s.published.Load().hosted[c.Group]
	if !ok {
		return false
	}
	now := s.mono() // before the view is taken, so that its age is not understated
	view := h.state.View(c.IsLong)
	defer view.Close()
	switch c.Level {
	case flotilla.Session:
		ok = view.Mark().Index >= c.After
	case flotilla.Bounded:
		ok = h.fresh.isWithin(c.MaxAge, now, view.Mark().Index)
	}
	if ok {
		s.look(c, view)
	}
	return ok
}

// look has the machines answer a read's commands from one view.
func (s *Server) look(c *flotilla.Call, view consensus.View) {
	mark := view.Mark()
	v := flotilla.View{Reader: view, Group: c.Group, Index: mark.Index, Time: mark.Time, Now: flotilla.Millis(time.Now().UnixMilli())}
	c.Replies, c.Index = c.Replies[:0], mark.Index
	for _, command := range c.Commands {
		machine := s.machine(c.Group, command)
		if machine == nil {
			c.Replies = append(c.Replies, nil)
			continue
		}
		c.Replies = append(c.Replies, machine.Read(&v, command))
	}
	if err := view.Err(); err != nil {
		c.Replies, c.Err = c.Replies[:0], flotilla.Refused(flotilla.Broken, "")
		s.post(func(n *Node) { n.failure = err })
	}
}

// machine returns who answers a command, or nil.
func (s *Server) machine(g flotilla.GroupID, command []byte) flotilla.Machine {
	if len(command) == 0 {
		return nil
	}
	if g == flotilla.Directory {
		return directoryMachine{}
	}
	return s.cfg.Machines[flotilla.System(command[0])]
}

// serveRemote carries out another node's read beside the loop.
func (s *Server) serveRemote(r readRequest) {
	answer := func(a answerItem) {
		s.post(func(n *Node) {
			if p := n.peers[r.from]; p != nil {
				p.frame = appendAnswerItem(p.frame, &a)
			}
		})
	}
	select {
	case s.remoteReads <- struct{}{}:
	default:
		p := s.node.peers[r.from]
		p.frame = appendAnswerItem(p.frame, &answerItem{id: r.item.id, reason: string(flotilla.Busy)})
		return
	}
	s.tasks.Go(func() {
		defer func() { <-s.remoteReads }()
		if _, ok := s.published.Load().hosted[r.item.group]; !ok {
			answer(answerItem{id: r.item.id, reason: string(flotilla.NotHere)})
			return
		}
		call := &flotilla.Call{Group: r.item.group, IsRead: true, IsLong: true, Level: r.item.level, After: r.item.after,
			MaxAge: r.item.maxAge, Commands: r.item.commands}
		s.Do(s.taskContext, call)
		answer(answerItem{id: r.item.id, reason: string(flotilla.ReasonOf(call.Err)), index: call.Index, replies: call.Replies})
	})
}

// Broadcast sends a message to all other nodes, at most once.
func (s *Server) Broadcast(system flotilla.System, message []byte) {
	message = slices.Clone(message)
	s.post(func(n *Node) {
		for _, p := range n.peerOrder {
			p.frame = appendBroadcastItem(p.frame, system, message)
		}
	})
}

// Subscribe has deliver called for the events that this node's replicas apply.
func (s *Server) Subscribe(system flotilla.System, deliver func(flotilla.Event)) (cancel func()) {
	return s.topics.events.add(system, deliver)
}

// Listen has deliver called for what other nodes broadcast.
func (s *Server) Listen(system flotilla.System, deliver func(from flotilla.NodeID, message []byte)) (cancel func()) {
	return s.topics.broadcasts.add(system, deliver)
}

// topics are the subscriptions of this node.
type topics struct {
	events     listeners[func(flotilla.Event)]
	broadcasts listeners[func(flotilla.NodeID, []byte)]
}

func (t *topics) emit(e flotilla.Event) {
	for _, l := range t.events.of(e.System) {
		l.deliver(e)
	}
}

func (t *topics) listens(system flotilla.System) bool { return len(t.events.of(system)) > 0 }

func (t *topics) hear(system flotilla.System, from flotilla.NodeID, message []byte) {
	for _, l := range t.broadcasts.of(system) {
		l.deliver(from, message)
	}
}

// listeners is a list that is read in every turn and seldom changed: a change
// makes a new one.
type listeners[F any] struct {
	mu      sync.Mutex // held by those who change the list
	current atomic.Pointer[[]listener[F]]
}

type listener[F any] struct {
	system  flotilla.System
	deliver F
	id      *byte
}

func (l *listeners[F]) add(system flotilla.System, deliver F) (cancel func()) {
	added := listener[F]{system: system, deliver: deliver, id: new(byte)}
	l.change(func(all []listener[F]) []listener[F] { return append(all, added) })
	return func() {
		l.change(func(all []listener[F]) []listener[F] {
			return slices.DeleteFunc(all, func(x listener[F]) bool { return x.id == added.id })
		})
	}
}

func (l *listeners[F]) change(edit func([]listener[F]) []listener[F]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []listener[F]
	if old := l.current.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = edit(all)
	l.current.Store(&all)
}

// of returns those who listen to a system. With one system in use it does not copy.
func (l *listeners[F]) of(system flotilla.System) []listener[F] {
	all := l.current.Load()
	if all == nil {
		return nil
	}
	for _, x := range *all {
		if x.system != system {
			return slices.DeleteFunc(slices.Clone(*all), func(x listener[F]) bool { return x.system != system })
		}
	}
	return *all
}
