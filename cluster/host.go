package cluster

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"flotilla"
)

// Do carries out calls; see flotilla.Host.
func (s *Server) Do(ctx context.Context, calls ...*flotilla.Call) {
	if len(calls) == 1 {
		if p := s.begin(calls[0]); p != nil {
			s.wait(ctx, p)
		}
		return
	}
	open := make([]*Pending, 0, len(calls))
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
func (s *Server) begin(c *flotilla.Call) *Pending {
	p := s.core.Begin(c)
	if p == nil {
		return nil
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		s.core.release(p)
		c.Err = flotilla.Refused(flotilla.Stopping, "")
		return nil
	}
	s.inbox.Calls = append(s.inbox.Calls, p)
	if !c.IsRead {
		s.inbox.commands += len(c.Commands)
	}
	mayWait := false
	if int(c.Group) < len(s.patience) {
		p := s.patience[c.Group]
		mayWait = !c.IsRead && s.inbox.commands < p.enough || c.IsRead && c.Level == flotilla.Linearizable && p.reads
	}
	s.mu.Unlock()
	if !mayWait {
		s.poke()
	}
	return p
}

// wait returns once the call is answered, or ctx ended and it is given up.
func (s *Server) wait(ctx context.Context, p *Pending) {
	select {
	case <-p.done:
	case <-ctx.Done():
		s.mu.Lock()
		if !s.ended {
			s.inbox.Cancels = append(s.inbox.Cancels, p)
		}
		s.mu.Unlock()
		s.poke()
		<-p.done
	}
	s.core.Finish(p)
}

// serveRemote carries out another node's read beside the loop.
func (s *Server) serveRemote(r RemoteRead) {
	select {
	case s.remoteReads <- struct{}{}:
	default:
		s.core.Answer(&r, &flotilla.Call{Err: flotilla.Refused(flotilla.Busy, "")})
		return
	}
	s.tasks.Go(func() {
		defer func() { <-s.remoteReads }()
		call := s.core.RemoteCall(&r)
		if call.Err == nil {
			s.Do(s.taskContext, call)
		}
		s.post(func() { s.core.Answer(&r, call) })
	})
}

// Broadcast sends a message to all other nodes, at most once.
func (s *Server) Broadcast(system flotilla.System, message []byte) {
	message = slices.Clone(message)
	s.post(func() {
		for _, p := range s.core.node.peerOrder {
			p.frame = appendBroadcastItem(p.frame, system, message)
		}
	})
}

// Subscribe has deliver called for the events that this node's replicas apply.
func (s *Server) Subscribe(system flotilla.System, deliver func(flotilla.Event)) (cancel func()) {
	return s.core.topics.events.add(system, deliver)
}

// Listen has deliver called for what other nodes broadcast.
func (s *Server) Listen(system flotilla.System, deliver func(from flotilla.NodeID, message []byte)) (cancel func()) {
	return s.core.topics.broadcasts.add(system, deliver)
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

// listeners are read in every turn and seldom changed: a change makes a new map.
type listeners[F any] struct {
	mu      sync.Mutex // held by those who change it
	current atomic.Pointer[map[flotilla.System][]listener[F]]
}

type listener[F any] struct {
	deliver F
	id      *byte
}

func (l *listeners[F]) add(system flotilla.System, deliver F) (cancel func()) {
	added := listener[F]{deliver: deliver, id: new(byte)}
	l.change(system, func(some []listener[F]) []listener[F] { return append(some, added) })
	return func() {
		l.change(system, func(some []listener[F]) []listener[F] {
			return slices.DeleteFunc(some, func(x listener[F]) bool { return x.id == added.id })
		})
	}
}

// change edits a copy of those who listen to a system.
func (l *listeners[F]) change(system flotilla.System, edit func([]listener[F]) []listener[F]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[flotilla.System][]listener[F]{}
	if old := l.current.Load(); old != nil {
		maps.Copy(all, *old)
	}
	all[system] = edit(slices.Clone(all[system]))
	l.current.Store(&all)
}

// of returns those who listen to a system.
func (l *listeners[F]) of(system flotilla.System) []listener[F] {
	if all := l.current.Load(); all != nil {
		return (*all)[system]
	}
	return nil
}
