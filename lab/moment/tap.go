package moment

import (
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/consensus"
	"flotilla/scenario"

	"go.etcd.io/raft/v3/raftpb"
)

// Around lays a trap around a node's disk and transport. Both are the node's loop's.
func Around(t *Trap, d consensus.Disk, over cluster.Transport) (consensus.Disk, cluster.Transport) {
	owes := new(bool)
	return &disk{Disk: d, trap: t, ballots: consensus.NewBallots(d), owesReply: owes}, &transport{Transport: over, trap: t, owesReply: owes}
}

// disk is a disk whose moments pass through a trap.
type disk struct {
	consensus.Disk
	trap    *Trap
	ballots *consensus.Ballots
	// owesReply is whether something was made durable of which nobody was told. The
	// transport has the same.
	owesReply *bool
}

// Append is an append, and a vote as well if a new term or vote is among it.
func (d *disk) Append(writes []consensus.Write) error {
	isVote := d.ballots.Changed(writes)
	d.trap.pass(scenario.BeforeAppend)
	if isVote {
		d.trap.pass(scenario.BeforeVote)
	}
	if err := d.Disk.Append(writes); err != nil {
		return err
	}
	*d.owesReply = true
	d.trap.pass(scenario.AfterAppend)
	if isVote {
		d.trap.pass(scenario.AfterVote)
	}
	return nil
}

// Install replaces a group's state and log.
func (d *disk) Install(staged consensus.Staged, hard *raftpb.HardState) error {
	d.trap.pass(scenario.BeforeInstall)
	if err := d.Disk.Install(staged, hard); err != nil {
		return err
	}
	d.trap.pass(scenario.AfterInstall)
	return nil
}

// transport is a transport whose moments pass through a trap.
type transport struct {
	cluster.Transport
	trap      *Trap
	owesReply *bool
}

// leaves is how long a frame is given to leave the process before that is ended.
const leaves = 10 * time.Millisecond

// Send sends a frame; the first after an append is a reply.
func (t *transport) Send(to flotilla.NodeID, frame []byte) {
	isReply := *t.owesReply
	*t.owesReply = false
	if isReply {
		t.trap.pass(scenario.BeforeReply)
	}
	t.Transport.Send(to, frame)
	if isReply && t.trap.isSetFor(scenario.AfterReply) {
		<-time.After(leaves)
		t.trap.pass(scenario.AfterReply)
	}
}
