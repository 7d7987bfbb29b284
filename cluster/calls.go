package cluster

import (
	"flotilla"
	"flotilla/consensus"
)

// Begin answers a call at once, and returns nil, if that can be done. Otherwise the
// driver hands what it returns to the next turn, waits for Done, and calls Finish.
func (c *Core) Begin(call *flotilla.Call) *Pending {
	call.Err = nil
	if len(call.Commands) == 0 {
		call.Replies = call.Replies[:0]
		return nil
	}
	if call.IsRead && c.readNow(call) {
		return nil
	}
	size := 0
	for _, command := range call.Commands {
		size += len(command) + 4
		if len(command) > consensus.MaxCommandBytes {
			call.Err = flotilla.Refused(flotilla.TooLarge, "")
			return nil
		}
	}
	if c.waitingCommands.Load()+int64(len(call.Commands)) > MaxWaitingCommands || c.waitingBytes.Load()+int64(size) > MaxWaitingBytes {
		c.busy.Add(uint64(len(call.Commands)))
		call.Err = flotilla.Refused(flotilla.Busy, "")
		return nil
	}
	p, ok := call.Private.(*Pending)
	if !ok {
		p = &Pending{done: make(chan struct{}, 1)}
		call.Private = p
	}
	p.call, p.bytes, p.deadline = call, size, c.clocks.Mono()+requestMillis
	c.waitingCommands.Add(int64(len(call.Commands)))
	c.waitingBytes.Add(int64(size))
	return p
}

// Done gets one value once the call may be finished; it is never closed.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Finish ends a call whose Done has come: a read that the node let through looks
// into the state now.
func (c *Core) Finish(p *Pending) {
	c.release(p)
	if !p.call.IsRead || p.call.Err != nil || p.isAnswered {
		return
	}
	h, ok := c.published.Load().hosted[p.call.Group]
	if !ok {
		p.call.Err = flotilla.Refused(flotilla.NotHere, "")
		return
	}
	view := h.state.View(p.call.IsLong)
	defer view.Close()
	c.look(p.call, view)
}

// release takes a call off what waits.
func (c *Core) release(p *Pending) {
	c.waitingCommands.Add(-int64(len(p.call.Commands)))
	c.waitingBytes.Add(-int64(p.bytes))
}

// readNow answers a read that needs no one else from this node's state.
func (c *Core) readNow(call *flotilla.Call) bool {
	if call.Level == flotilla.Linearizable {
		return false
	}
	h, ok := c.published.Load().hosted[call.Group]
	if !ok {
		return false
	}
	now := c.clocks.Mono() // before the view is taken, so that its age is not understated
	view := h.state.View(call.IsLong)
	defer view.Close()
	switch call.Level {
	case flotilla.Session:
		ok = view.Mark().Index >= call.After
	case flotilla.Bounded:
		ok = h.fresh.isWithin(call.MaxAge, now, view.Mark().Index)
	}
	if ok {
		c.look(call, view)
	}
	return ok
}

// look has the machines answer a read's commands from one view.
func (c *Core) look(call *flotilla.Call, view consensus.View) {
	mark := view.Mark()
	v := flotilla.View{Reader: view, Group: call.Group, Index: mark.Index, Time: mark.Time, Now: c.clocks.Wall(), Charge: call.Charge}
	call.Replies, call.Index = call.Replies[:0], mark.Index
	defer func() {
		if err := view.Err(); err != nil {
			_ = recover() // what a machine asserts of a state that can not be read is no bug of the machine
			call.Replies, call.Err = call.Replies[:0], flotilla.Refused(flotilla.Broken, "")
			c.broken.Store(&err)
		}
	}()
	for _, command := range call.Commands {
		machine := c.machine(call.Group, command)
		if machine == nil {
			call.Replies = append(call.Replies, nil)
			continue
		}
		call.Replies = append(call.Replies, machine.Read(&v, command))
	}
}

// machine returns who answers a command, or nil.
func (c *Core) machine(g flotilla.GroupID, command []byte) flotilla.Machine {
	if len(command) == 0 {
		return nil
	}
	if g == flotilla.Directory {
		return directoryMachine{}
	}
	return c.cfg.Machines[flotilla.System(command[0])]
}
