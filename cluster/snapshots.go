package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// snapshotTimeout is how long sending one snapshot may take.
const snapshotTimeout = time.Hour

// sendSnapshot streams a snapshot to another node, beside the loop.
//
// Its header is the group and the Raft message that it belongs to: group uvarint,
// then the message as Protocol Buffers have it.
func (s *Server) sendSnapshot(job snapshotJob) {
	defer job.view.Close()
	ctx, cancel := context.WithTimeout(s.taskContext, snapshotTimeout)
	defer cancel()
	message, err := proto.Marshal(job.message)
	if err == nil {
		header := append(appendUvarints(nil, uint64(job.group)), message...)
		err = s.cfg.Transport.SendSnapshot(ctx, job.to, header, func(w io.Writer) error {
			return errors.Join(consensus.WriteSnapshot(w, job.view), job.view.Err())
		})
	}
	if err != nil {
		s.cfg.Log.Warn("a snapshot was not sent", "node", job.to, "group", job.group, "err", err)
	} else {
		s.cfg.Log.Info("a snapshot was sent", "node", job.to, "group", job.group, "index", job.view.Mark().Index)
	}
	s.post(func(n *Node) { n.snapshotDone(job.group, job.replica, err == nil) })
}

// ReceiveSnapshot stores a snapshot aside and hands it to the loop.
func (s *Server) ReceiveSnapshot(ctx context.Context, from flotilla.NodeID, header []byte, body io.Reader) error {
	in := frameBytes{rest: header}
	group := in.group()
	message := &raftpb.Message{}
	if in.err != nil || proto.Unmarshal(in.rest, message) != nil {
		return errors.New("the header of the snapshot can not be read")
	}
	staged, err := s.cfg.Disk.Stage(consensus.Replica{Group: group, ID: flotilla.ReplicaID(message.GetTo())}, body)
	if err != nil {
		return fmt.Errorf("store the snapshot of %v: %w", group, err)
	}
	if ctx.Err() != nil || !s.deliver(&frame{from: from, snapshot: &snapshotItem{staged: staged, message: message}}) {
		staged.Drop()
		return errors.New("the node is stopping")
	}
	return nil
}

// leads returns how many groups the node leads that another live node could lead.
func (n *Node) leads() int {
	count := 0
	for _, h := range n.order {
		if h.group.IsLeader() && len(n.candidates(h)) > 1 {
			count++
		}
	}
	return count
}

// stop answers all calls and closes what is open; the node is of no more use.
func (n *Node) stop() {
	for _, r := range n.routeOrder {
		for _, c := range r.queue {
			n.fail(c, flotilla.Refused(flotilla.Stopping, ""))
		}
		for _, p := range r.sent {
			n.failParcel(p, stopFailure(p))
		}
		r.queue, r.sent = nil, nil
	}
	for _, h := range n.order {
		for _, c := range h.reads {
			n.fail(c, flotilla.Refused(flotilla.Stopping, ""))
		}
		h.reads = nil
		if h.staged != nil {
			h.staged.Drop()
		}
	}
	for _, c := range n.remoteReads {
		n.fail(c, flotilla.Refused(flotilla.Stopping, ""))
	}
	clear(n.remoteReads)
	for _, job := range n.snapshots {
		job.view.Close()
	}
}

func stopFailure(p *sentParcel) error {
	if p.sends == 0 {
		return flotilla.Refused(flotilla.Stopping, "")
	}
	return flotilla.Unknown(flotilla.Stopping, "")
}
