package cluster

import (
	"context"
	"errors"
	"io"
	"time"

	"flotilla"
)

// snapshotTimeout is how long sending one snapshot may take.
const snapshotTimeout = time.Hour

// sendSnapshot streams a snapshot to another node, beside the loop.
func (s *Server) sendSnapshot(job SnapshotJob) {
	ctx, cancel := context.WithTimeout(s.taskContext, snapshotTimeout)
	defer cancel()
	err := job.Send(ctx, s.cfg.Transport)
	if err != nil {
		s.cfg.Log.Warn("a snapshot was not sent", "node", job.to, "group", job.group, "err", err)
	} else {
		s.cfg.Log.Info("a snapshot was sent", "node", job.to, "group", job.group, "index", job.view.Mark().Index)
	}
	s.post(func() { s.core.SnapshotDone(&job, err == nil) })
}

// ReceiveSnapshot stores a snapshot aside and hands it to the loop.
func (s *Server) ReceiveSnapshot(ctx context.Context, from flotilla.NodeID, header []byte, body io.Reader) error {
	f, err := s.core.Stage(from, header, body)
	if err != nil {
		return err
	}
	if ctx.Err() != nil || !s.deliver(f) {
		f.Drop()
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
	for _, r := range n.remoteReads {
		n.fail(r.call, flotilla.Refused(flotilla.Stopping, ""))
	}
	clear(n.remoteReads)
	n.stopCopies()
}

func stopFailure(p *sentParcel) error {
	if p.sends == 0 {
		return flotilla.Refused(flotilla.Stopping, "")
	}
	return flotilla.Unknown(flotilla.Stopping, "")
}
