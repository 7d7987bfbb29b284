package consensus_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/datadriven"
	"go.etcd.io/raft/v3/raftpb"
)

// TestScripts plays testdata/scripts/*.txt: the life of one group, step by step.
// In them a replica is named by its id, and sessions s1, s2 ... in the order in
// which they were opened. The directives, N being a replica:
//
//	open replicas=3 [inflight=2]    start anew
//	empty id=1001 node=3            one more replica, which waits for a snapshot
//	submit N origin=1 open=77       hand it a parcel that opens a session
//	submit N origin=1 session=s1 first=1 [low=1]
//	                                ... or one with the commands in the lines below
//	advance|early|persist|late|apply N  the steps of a turn, one by one
//	turn N                          all of them, as often as there is something to do
//	deliver|drop|repeat [from=] [to=] [type=MsgApp] [count=]  what is on the wire
//	settle [without=3]              turns and deliveries until all is quiet
//	tick N [count=]                 ticks pass; nobody else's do
//	wait millis=                    the clock goes on
//	campaign N | transfer N to= | replace N lost= node= | promote N id=
//	learn N from=                   what another replica knows to be committed
//	read N                          a read arrives
//	crash N | restart N [keep=]     the power fails; keep= so many unflushed commits
//	flush N                         its state becomes durable
//	cut N index=                    its log may be forgotten
//	show N state|sessions|log|members|status|reads     wire: what is on its way
//	same                            whether all replicas' states are byte for byte equal
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		cryptotest.SetGlobalRandom(t, 1)
		s := &script{names: map[uint64]string{}}
		datadriven.RunTest(t, path, s.directive)
	})
}

// script is a lab with the words of a script.
type script struct {
	*lab
	t     *testing.T
	d     *datadriven.TestData
	out   strings.Builder
	names map[uint64]string // of sessions
}

func (s *script) directive(t *testing.T, d *datadriven.TestData) string {
	s.t, s.d = t, d
	s.out.Reset()
	s.run()
	if s.out.Len() == 0 {
		return "ok"
	}
	return s.out.String()
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *script) run() {
	switch s.d.Cmd {
	case "open":
		s.lab, s.names = newLab(s.number("replicas", 3)), map[uint64]string{}
		if s.maxInFlight = s.number("inflight", 0); s.maxInFlight != 0 {
			for _, n := range s.nodes {
				s.restart(n, -1)
			}
		}
	case "empty":
		s.add(flotilla.ReplicaID(s.number("id", 0)), flotilla.NodeID(s.number("node", 0)), nil)
	case "wait":
		s.now += flotilla.Millis(s.number("millis", 0))
	case "settle":
		s.settle(flotilla.ReplicaID(s.number("without", 0)))
	case "deliver", "drop", "repeat":
		s.onWire()
	case "same":
		s.same()
	case "wire":
		for _, p := range s.wire {
			s.printf("%s", s.describe(p))
		}
	default:
		s.onReplica(s.replica(flotilla.ReplicaID(atoi(s.t, s.d.CmdArgs[0].Key))))
	}
}

// onReplica carries out the directives that name a replica.
func (s *script) onReplica(n *replica) {
	switch s.d.Cmd {
	case "restart":
		s.restart(n, s.number("keep", -1))
		return
	case "flush":
		n.disk.Flush()
		return
	}
	if n.group == nil {
		s.printf("%d is down", n.id)
		return
	}
	switch s.d.Cmd {
	case "crash":
		n.group = nil
	case "submit":
		s.submit(n)
	case "tick":
		for range s.number("count", 1) {
			n.group.Tick()
		}
	case "campaign":
		n.group.Campaign()
	case "transfer":
		n.group.Transfer(flotilla.ReplicaID(s.number("to", 0)))
	case "replace":
		s.printf("new replica %d", n.group.Replace(flotilla.ReplicaID(s.number("lost", 0)), flotilla.NodeID(s.number("node", 0))))
	case "promote":
		s.printf("proposed: %v", n.group.Promote(flotilla.ReplicaID(s.number("id", 0))))
	case "learn":
		index, term := s.lab.replica(flotilla.ReplicaID(s.number("from", 0))).group.Committed()
		if err := n.group.Learn(index, term); err != nil {
			s.t.Fatal(err)
		}
		s.printf("told that %d of term %d is committed", index, term)
	case "read":
		s.printf("waits for round %d", n.group.JoinRead())
	case "cut":
		n.disk.Cut(labGroup, uint64(s.number("index", 0)))
	case "noroom":
		n.group.SetNoRoom(true)
	case "show":
		s.show(n, s.d.CmdArgs[1].Key)
	default:
		s.step(n)
	}
}

// step carries out the steps of a turn.
func (s *script) step(n *replica) {
	var err error
	switch s.d.Cmd {
	case "advance":
		n.group.Advance(s.now)
	case "early":
		before := len(s.wire)
		if !s.early(n) {
			s.printf("nothing to do")
			return
		}
		s.printSent("early", before)
	case "persist":
		if w := n.ready.Write; n.ready.HasWrite {
			s.printf("wrote %d entries%s", len(w.Entries), map[bool]string{true: " and a HardState"}[w.HardState != nil])
		}
		err = s.persist(n)
	case "late":
		before := len(s.wire)
		s.late(n)
		s.printSent("late", before)
	case "apply":
		err = s.apply(n, func(o consensus.Outcome) { s.printOutcome(n, o) })
	case "turn":
		err = s.turn(n, func(o consensus.Outcome) { s.printOutcome(n, o) })
	default:
		s.t.Fatalf("%s: unknown directive %q", s.d.Pos, s.d.Cmd)
	}
	if err != nil {
		s.printf("error: %v", err)
	}
}

func (s *script) printSent(when string, before int) {
	for _, p := range s.wire[before:] {
		s.printf("%s: %s", when, s.describe(p))
	}
}

func (s *script) submit(n *replica) {
	p := consensus.Parcel{Origin: flotilla.NodeID(s.number("origin", 1))}
	if p.First = uint64(s.number("open", 0)); p.First == 0 {
		p.Session = s.session()
		p.First = uint64(s.number("first", 1))
		p.Low = uint64(s.number("low", 1))
		for line := range strings.Lines(s.d.Input) {
			p.Commands = append(p.Commands, []byte("t"+strings.TrimSpace(line)))
		}
	}
	if !n.group.Submit(consensus.AppendParcel(nil, &p)) {
		s.printf("refused: it does not lead")
	}
}

// session returns the number of the session that the directive names.
func (s *script) session() uint64 {
	var name string
	s.d.ScanArgs(s.t, "session", &name)
	for id, n := range s.names {
		if n == name {
			return id
		}
	}
	return 999_999_999 // one that never was
}

func (s *script) name(id uint64) string {
	if s.names[id] == "" {
		s.names[id] = "s" + strconv.Itoa(len(s.names)+1)
	}
	return s.names[id]
}

func (s *script) printOutcome(n *replica, o consensus.Outcome) {
	status := map[consensus.Status]string{consensus.Applied: "applied", consensus.Expired: "expired", consensus.Stale: "stale"}[o.Status]
	session := "unknown session"
	if o.Status != consensus.Expired || s.names[o.Session] != "" {
		session = s.name(o.Session)
	}
	s.printf("%d: %v %s %d %s at %d: %s", n.id, o.Origin, session, o.First, status, o.Index, replies(o))
}

// settle lets all replicas but one work until nothing is left to do, and prints
// the outcomes that the leader sees.
func (s *script) settle(without flotilla.ReplicaID) {
	for range 200 {
		for _, n := range s.nodes {
			if n.group == nil || n.id == without {
				continue
			}
			isLeader := n.group.IsLeader()
			if err := s.turn(n, func(o consensus.Outcome) {
				if isLeader {
					s.printOutcome(n, o)
				}
			}); err != nil {
				s.printf("error: %v", err)
				return
			}
		}
		moving := s.take(func(p packet) bool { return p.from != without && p.to != without })
		if len(moving) == 0 {
			return
		}
		for _, p := range moving {
			s.deliver(p)
		}
	}
	s.printf("never quiet")
}

func (s *script) onWire() {
	from, to := flotilla.ReplicaID(s.number("from", 0)), flotilla.ReplicaID(s.number("to", 0))
	var kind string
	s.d.MaybeScanArgs(s.t, "type", &kind)
	left := s.number("count", 1<<30)
	taken := s.take(func(p packet) bool {
		ok := left > 0 && (from == 0 || p.from == from) && (to == 0 || p.to == to) && (kind == "" || p.kind.String() == kind)
		if ok {
			left--
		}
		return ok
	})
	for _, p := range taken {
		s.printf("%s", s.describe(p))
		switch s.d.Cmd {
		case "deliver":
			s.deliver(p)
		case "repeat":
			s.wire = append(s.wire, p, p)
		}
	}
}

func (s *script) describe(p packet) string {
	line := fmt.Sprintf("%d>%d %v", p.from, p.to, p.kind)
	if p.snapshot != nil {
		return line + fmt.Sprintf(" of index %d", p.snapshot.GetSnapshot().GetMetadata().GetIndex())
	}
	m, _, _ := consensus.DecodeMessage(p.bytes)
	switch p.kind {
	case raftpb.MsgApp:
		line += fmt.Sprintf(" after %d, commit %d", m.GetIndex(), m.GetCommit())
		if len(m.GetEntries()) == 0 {
			return line
		}
		for _, e := range m.GetEntries() {
			line += "\n    " + consensus.DescribeEntry(e, s.name)
		}
	case raftpb.MsgAppResp, raftpb.MsgReadIndexResp:
		line += fmt.Sprintf(" %d", m.GetIndex())
	}
	if m.GetReject() {
		line += " rejected"
	}
	return line
}

func (s *script) show(n *replica, what string) {
	switch what {
	case "state":
		s.printf("at %d, log time %d", n.state.Mark().Index, n.state.Mark().Time)
		s.out.WriteString(content(n.state))
	case "sessions":
		text, err := consensus.DescribeSessions(n.state, s.name)
		if err != nil {
			text = err.Error()
		}
		s.out.WriteString(text)
	case "log":
		log := n.disk.Log(labGroup)
		first, _ := log.FirstIndex()
		last, _ := log.LastIndex()
		entries, _ := log.Entries(first, last+1, 1<<30)
		for _, e := range entries {
			s.printf("%s", consensus.DescribeEntry(e, s.name))
		}
	case "members":
		m := n.group.Members()
		s.printf("voters %v learners %v outgoing %v on %v, next %d", m.Conf.GetVoters(), m.Conf.GetLearners(),
			m.Conf.GetVotersOutgoing(), m.Nodes(), m.Next)
	case "status":
		st := n.group.Stats()
		s.printf("%s term=%d first=%d last=%d commit=%d applied=%d durable=%d", st.Role, st.Term, st.First, st.Last,
			st.Commit, n.state.Mark().Index, n.state.Durable())
		s.printf("commands=%d duplicates=%d idle=%v", st.Commands, st.Duplicates, n.group.IsIdle())
	case "reads":
		round, index := n.group.Confirmed()
		s.printf("round %d of %d confirmed, from index %d on", round, n.group.StartedRound(), index)
	}
}

func (s *script) same() {
	first, hash := uint64(0), uint64(0)
	for _, n := range s.nodes {
		if n.group == nil {
			continue
		}
		switch {
		case first == 0:
			first, hash = n.state.Mark().Index, consensus.Hash(n.state)
		case n.state.Mark().Index != first:
			s.printf("%d is at %d, not at %d", n.id, n.state.Mark().Index, first)
		case consensus.Hash(n.state) != hash:
			s.printf("%d DIFFERS", n.id)
		}
	}
	if s.out.Len() == 0 {
		s.printf("all at %d, and equal", first)
	}
}

func (s *script) number(key string, otherwise int) int {
	for _, arg := range s.d.CmdArgs {
		if arg.Key == key {
			return atoi(s.t, arg.Vals[0])
		}
	}
	return otherwise
}

func atoi(t *testing.T, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
