package cluster

import (
	"flotilla"
	"flotilla/consensus"
)

// Limits of a route. What comes while they are reached gathers, and shares the
// next parcel.
const (
	// maxSentHere and maxSentAway are how many parcels of a node are on their way to a
	// group that is led here, or elsewhere. Here one fills the one entry in flight;
	// elsewhere others wait at the leader while the first is in its entry: a third may come
	// while the leader waits for more.
	maxSentHere = 1
	maxSentAway = 3
	// resendTicks is when a parcel that was not answered is sent again, though the
	// leader did not change.
	resendTicks = 20
	// soonTicks is the same on a link that loses things now and then, for at most soonBytes:
	// there each attempt may be lost, and its answer as well.
	soonTicks = 5
	soonBytes = 64 << 10
	// cutOffMillis is how much longer what is on its way is waited for once no majority
	// is in reach.
	cutOffMillis flotilla.Millis = 1000
)

// Pending is a call on its way through a node.
type Pending struct {
	call     *flotilla.Call
	bytes    int
	deadline flotilla.Millis // on the node's monotonic clock
	done     chan struct{}   // gets one value when the call is finished

	// Reads only:
	round       uint64 // the read round that confirms it; 0 once it was
	index       uint64 // what must be applied before it may look
	isConfirmed bool
	isAnswered  bool // by another node: call.Replies are there
}

// route is how this node's commands get to one group: it knows who leads, numbers
// the commands, and sends a parcel again until it is answered. It is the origin's
// half of "exactly once"; the other half is consensus's sessions.
type route struct {
	group   flotilla.GroupID
	leader  flotilla.NodeID // 0 when none is known
	term    uint64          // of that leader
	ledFrom uint64          // tick at which it became known

	session uint64          // 0: none is open
	usedAt  flotilla.Millis // when the session was last used, on the wall clock
	next    uint64          // number of the next command
	queue   []*Pending

	askedTurn uint64 // in which isCutOff was asked last, see Node.refuses; 0: never
	isCutOff  bool

	sent []*sentParcel // in order of number; one that opens a session has no calls
}

// sentParcel is a parcel that waits for its outcome.
type sentParcel struct {
	first    uint64
	bytes    []byte
	calls    []*Pending // nil where the caller has gone
	counts   []int      // commands of each call
	session  uint64     // 0: it opens one
	sends    int        // how often it was sent; 0: certainly not carried out
	sentTick uint64
	deadline flotilla.Millis
	trace    uint64 // of a call in it that is followed; 0: none is
}

// setLeader notes who leads. What is on its way goes to a new leader at once.
func (n *Node) setLeader(r *route, leader flotilla.NodeID, term uint64) {
	if term < r.term || term == r.term && (leader == r.leader || r.leader != 0 && leader == 0) {
		return
	}
	n.isChanged = true
	isNew := leader != 0 && (leader != r.leader || term != r.term)
	r.leader, r.term = leader, term
	if isNew {
		r.ledFrom = n.ticks
		for _, p := range r.sent {
			n.send(r, p)
		}
		n.markRoute(r)
	}
}

// loseLeader notes that a hosted replica knows no leader any more.
func (n *Node) loseLeader(r *route, term uint64) {
	if r.leader != 0 && term >= r.term {
		r.leader = 0
		n.isChanged = true
	}
}

// dispatch sends what waits, as long as not too much is on its way.
func (n *Node) dispatch(r *route) {
	if len(r.queue) == 0 || r.leader == 0 || n.isGathering(r) {
		return
	}
	if len(r.sent) == 0 && n.wall-r.usedAt > consensus.SessionMillis/2 {
		r.session = 0 // the group may forget it soon, and then no outcome would be certain
	}
	if r.session == 0 {
		n.openSession(r)
		return
	}
	r.usedAt = n.wall
	for len(r.queue) > 0 && len(r.sent) < n.maxSent(r) {
		p := n.fill(r)
		r.sent = append(r.sent, p)
		n.send(r, p)
	}
}

func (n *Node) maxSent(r *route) int {
	if r.leader == n.cfg.Self {
		return maxSentHere
	}
	return maxSentAway
}

// openSession asks the group for a session, unless that is under way.
func (n *Node) openSession(r *route) {
	for _, p := range r.sent {
		if p.session == 0 {
			return
		}
	}
	n.nonce++
	p := &sentParcel{first: n.nonce, deadline: flotilla.Never}
	p.bytes = consensus.AppendParcel(nil, &consensus.Parcel{Origin: n.cfg.Self, First: n.nonce})
	r.sent = append(r.sent, p)
	n.send(r, p)
}

// fill makes a parcel of the calls that wait longest.
func (n *Node) fill(r *route) *sentParcel {
	commands, size, calls := n.commands[:0], 0, 0
	for _, c := range r.queue {
		if calls > 0 && (size+c.bytes > consensus.MaxParcelBytes || len(commands)+len(c.call.Commands) > consensus.MaxParcelCommands) {
			break
		}
		commands = append(commands, c.call.Commands...)
		size += c.bytes
		calls++
	}
	low := r.next
	for _, p := range r.sent {
		if p.session == r.session {
			low = min(low, p.first)
		}
	}
	parcel := consensus.Parcel{Origin: n.cfg.Self, Session: r.session, First: r.next, Low: low, Commands: commands}
	p := &sentParcel{first: r.next, session: r.session, deadline: r.queue[0].deadline,
		calls: append([]*Pending(nil), r.queue[:calls]...)}
	p.counts = make([]int, calls)
	for i, c := range p.calls {
		p.counts[i] = len(c.call.Commands)
		p.trace = max(p.trace, c.call.Trace)
	}
	p.bytes = consensus.AppendParcel(make([]byte, 0, size+10*len(commands)+32), &parcel)
	r.next += uint64(len(commands))
	rest := copy(r.queue, r.queue[calls:])
	clear(r.queue[rest:])
	r.queue = r.queue[:rest]
	clear(commands)
	n.commands = commands[:0]
	return p
}

// send puts a parcel into the leader's hands, if one is known.
func (n *Node) send(r *route, p *sentParcel) {
	p.sentTick = n.ticks
	n.noteParcel(r, p)
	switch {
	case r.leader == 0:
		return
	case r.leader == n.cfg.Self:
		h := n.hosted[r.group]
		if h == nil || !h.group.Submit(p.bytes) {
			return
		}
		n.markDirty(h)
	default:
		peer := n.peers[r.leader]
		if peer == nil {
			return
		}
		peer.frame = appendParcelItem(peer.frame, r.group, p.bytes)
	}
	p.sends++
}

// resolve takes an outcome of one of this node's parcels.
func (n *Node) resolve(group flotilla.GroupID, o *consensus.Outcome) {
	r := n.routes[group]
	if r == nil {
		return
	}
	for i, p := range r.sent {
		if p.first != o.First || p.session != 0 && p.session != o.Session {
			continue
		}
		if o.Status == consensus.Expired {
			n.sessionEnded(r)
			return
		}
		r.sent = append(r.sent[:i], r.sent[i+1:]...)
		n.markRoute(r)
		if p.session == 0 {
			r.session, r.usedAt, r.next = o.Session, n.wall, 1
			return
		}
		n.noteAnswered(r, p, o)
		n.answer(p, o)
		return
	}
}

// answer hands the replies of a parcel to those who wait for them.
func (n *Node) answer(p *sentParcel, o *consensus.Outcome) {
	if o.Status != consensus.Applied {
		n.failParcel(p, flotilla.Unknown(flotilla.Timeout, "it was given up before"))
		return
	}
	flotilla.Assert(distribute(p, o), "%v: outcome of parcel %d does not match it", o.Origin, o.First)
	for _, c := range p.calls {
		if c != nil {
			c.call.Index, c.call.Err = o.Index, nil
			n.finish(c)
		}
	}
}

// distribute gives each call of a parcel its replies; a call that was given up
// has left a gap. It reports false if there are not as many as there must be.
func distribute(p *sentParcel, o *consensus.Outcome) bool {
	at, left, fits := -1, 0, true
	err := consensus.DecodeReplies(o.Replies, func(reply []byte) {
		for left == 0 && at+1 < len(p.calls) {
			at++
			left = p.counts[at]
			if c := p.calls[at]; c != nil {
				c.call.Replies = c.call.Replies[:0]
			}
		}
		if left == 0 {
			fits = false
			return
		}
		left--
		if c := p.calls[at]; c != nil {
			c.call.Replies = append(c.call.Replies, reply)
		}
	})
	return err == nil && fits && left == 0 && at == len(p.calls)-1
}

// sessionEnded starts anew after the group forgot this node's session, and with
// it what it had carried out: of what was sent nobody knows any more.
func (n *Node) sessionEnded(r *route) {
	r.session = 0
	sent := r.sent
	r.sent = nil
	var again []*Pending
	for _, p := range sent {
		if p.sends > 0 {
			n.failParcel(p, flotilla.Unknown(flotilla.Timeout, "the group has forgotten this node's session"))
			continue
		}
		for _, c := range p.calls {
			if c != nil {
				again = append(again, c)
			}
		}
	}
	r.queue = append(again, r.queue...)
	n.markRoute(r)
}

// failParcel answers all calls of a parcel with an error.
func (n *Node) failParcel(p *sentParcel, err error) {
	for _, c := range p.calls {
		if c != nil {
			n.fail(c, err)
		}
	}
	clear(p.calls)
}

// checkRoute ends what waits for too long, sends again what was not answered,
// and refuses at once what can not be carried out because no majority is in reach.
func (n *Node) checkRoute(r *route) {
	cutOff := n.isCutOff(r.group)
	kept := r.queue[:0]
	for _, c := range r.queue {
		switch {
		case cutOff:
			n.fail(c, flotilla.Refused(flotilla.NoQuorum, ""))
		case n.mono >= c.deadline:
			n.fail(c, flotilla.Refused(flotilla.NoQuorum, "no leader was found in time"))
		default:
			kept = append(kept, c)
		}
	}
	clear(r.queue[len(kept):])
	r.queue = kept
	sent := r.sent[:0]
	for _, p := range r.sent {
		if cutOff && p.session != 0 { // nothing can be decided here: say soon that nobody knows
			p.deadline = min(p.deadline, n.mono+cutOffMillis)
		}
		if n.mono >= p.deadline || cutOff && p.sends == 0 {
			n.failParcel(p, failureOf(p))
			continue
		}
		if n.ticks-p.sentTick >= n.resendAfter(r.leader, len(p.bytes)) {
			n.send(r, p)
		}
		sent = append(sent, p)
	}
	clear(r.sent[len(sent):])
	r.sent = sent
	n.markRoute(r)
}

// resendAfter returns how many ticks to wait for a node's answer before so many bytes are
// sent again.
func (n *Node) resendAfter(to flotilla.NodeID, bytes int) uint64 {
	if p := n.peers[to]; p != nil && bytes <= soonBytes && n.isAlive(to) && (p.isDeaf || n.loses(p, lossyShare)) {
		return soonTicks
	}
	return resendTicks
}

// failureOf says what may be said of a parcel that is given up.
func failureOf(p *sentParcel) error {
	if p.sends == 0 {
		return flotilla.Refused(flotilla.NoQuorum, "")
	}
	return flotilla.Unknown(flotilla.Timeout, "")
}

// cancel forgets a call whose caller has gone.
func (n *Node) cancel(c *Pending) {
	r := n.routes[c.call.Group]
	if r == nil {
		return
	}
	for i, q := range r.queue {
		if q == c {
			r.queue = append(r.queue[:i], r.queue[i+1:]...)
			n.fail(c, flotilla.Refused(flotilla.Timeout, ""))
			return
		}
	}
	for _, p := range r.sent {
		for i, q := range p.calls {
			if q != c {
				continue
			}
			p.calls[i] = nil // but its commands go on: the parcel may hold others' too
			n.fail(c, flotilla.Unknown(flotilla.Timeout, ""))
			return
		}
	}
	n.cancelRead(c)
}
