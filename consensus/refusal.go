package consensus

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"flotilla"
)

// Refusal is why a replica does not vote for another. Who hears a leader does not refuse: it
// does not answer at all.
type Refusal struct {
	Why RefusalReason
	// Index is the last entry of the log here, if that is why, and Replica who has the vote, or leads, already.
	Index   uint64
	Replica flotilla.ReplicaID
}

// RefusalReason is the first of Raft's reasons that holds.
type RefusalReason string

const (
	RefusedTerm   RefusalReason = "term"   // a newer term is known here
	RefusedVoted  RefusalReason = "voted"  // the vote of this term is given
	RefusedLeader RefusalReason = "leader" // this term has a leader
	RefusedLog    RefusalReason = "log"    // the log here has entries that the other lacks
)

// maxRefusals bounds how many are remembered: a replica asks one time at a time.
const maxRefusals = 16

// Refusal returns why this replica last refused its vote to another.
func (g *Group) Refusal(to flotilla.ReplicaID) Refusal { return g.refusals[to] }

// noteAsked remembers, of a replica that asks for a vote, what speaks against it.
func (g *Group) noteAsked(m *raftpb.Message) {
	if len(g.refusals) >= maxRefusals || g.refusals == nil {
		g.refusals = map[flotilla.ReplicaID]Refusal{}
	}
	status := g.raw.BasicStatus()
	term, vote, leader := status.GetTerm(), status.GetVote(), status.Lead
	r := Refusal{Why: RefusedLog}
	switch sameTerm := m.GetTerm() == term; {
	case m.GetTerm() < term:
		r = Refusal{Why: RefusedTerm}
	case sameTerm && vote != raft.None && vote != m.GetFrom():
		r = Refusal{Why: RefusedVoted, Replica: flotilla.ReplicaID(vote)}
	case sameTerm && vote == raft.None && leader != raft.None:
		r = Refusal{Why: RefusedLeader, Replica: flotilla.ReplicaID(leader)}
	default:
		r.Index, _ = g.log.LastIndex() // unread, it is not told
	}
	g.refusals[flotilla.ReplicaID(m.GetFrom())] = r
}
