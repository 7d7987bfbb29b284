package consensus_test

import (
	"encoding/binary"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// TestOneAnswerToManyHeartbeats: a replica whose process was paused finds many heartbeats
// at once. One answer for each leader and term is enough, the one that confirms most.
func TestOneAnswerToManyHeartbeats(t *testing.T) {
	l := newLab(3)
	leader, paused := l.replica(1), l.replica(3)
	leader.group.Campaign()
	l.quiet(t)
	term := leader.group.Term()
	for _, position := range []uint64{0, 1, 2, 4, 3, 0} {
		m := &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: new(uint64(leader.id)), To: new(uint64(paused.id)), Term: &term}
		if position > 0 {
			m.Context = binary.LittleEndian.AppendUint64(nil, position)
		}
		if err := paused.group.Step(m); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := paused.group.Ready()
	var answers []*raftpb.Message
	for _, m := range r.Early {
		if m.GetType() == raftpb.MsgHeartbeatResp {
			answers = append(answers, m)
		}
	}
	if len(answers) != 1 || answers[0].GetTo() != uint64(leader.id) || binary.LittleEndian.Uint64(answers[0].GetContext()) != 4 {
		t.Errorf("six heartbeats were answered by %v", answers)
	}
}
