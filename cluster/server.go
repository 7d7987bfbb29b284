package cluster

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"flotilla"
)

// maxRemoteReads is how many reads a node carries out for others at a time; what
// comes beyond is refused as busy.
const maxRemoteReads = 256

// Server runs a Core in real time: it owns the one loop, and is the Host that
// clients use.
type Server struct {
	cfg     Config
	core    *Core
	clock   *clock
	wake    chan struct{} // never closed; one slot
	stopped chan struct{} // closed when Run returns

	mu    sync.Mutex // guards the fields up to the blank line
	inbox inbox
	// patience says, by group, what need not wake the loop, because it must wait for
	// something that will.
	patience []patience
	ended    bool // nothing is taken any more

	hashing     sync.Mutex // held by StatusWithHashes
	remoteReads chan struct{}
	tasks       sync.WaitGroup // goroutines that Run waits for
	pulse       *pulse
	taskContext context.Context
	stopTasks   context.CancelFunc
}

// inbox is what has arrived since the loop last looked.
type inbox struct {
	Input
	commands int      // of the calls that write
	tasks    []func() // questions to the core, and reports; called by the loop
}

// New returns a server that has opened all its groups. Run makes it work.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: withDefaults(cfg), clock: newClock(time.Now), wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		remoteReads: make(chan struct{}, maxRemoteReads), pulse: newPulse()}
	s.taskContext, s.stopTasks = context.WithCancel(context.Background())
	var err error
	s.core, err = NewCore(cfg, Clocks{Wall: s.clock.wall, Mono: s.clock.mono})
	if err == nil {
		s.core.node.seconds = func() float64 { return time.Since(s.clock.started).Seconds() }
		s.core.node.pulse = s.pulse
	}
	return s, err
}

// SetClock has the node's clocks be wrong, for a lab. The next tick is the first of
// the new length.
func (s *Server) SetClock(skew Skew) error {
	if err := skew.Check(); err != nil {
		return err
	}
	s.clock.set(skew)
	return nil
}

// Run works until ctx ends or the node fails; then all calls are answered, and all
// that it started has ended. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	tick := time.Duration(s.cfg.TickMillis) * time.Millisecond
	period := s.clock.period(tick)
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	early := time.NewTimer(time.Hour)
	defer early.Stop()
	s.tasks.Go(func() { s.runPulse(s.taskContext) })
	armed := flotilla.Never // what early is set to
	var err error
	var last inbox
	for err == nil {
		ticked := false
		select {
		case <-ctx.Done():
			s.end()
			return nil
		case <-s.wake:
		case <-early.C:
			armed = flotilla.Never
		case <-ticker.C:
			ticked = true
		}
		if ticked {
			s.core.Tick()
			if now := s.clock.period(tick); now != period { // a lab changed how the clock runs
				period = now
				ticker.Reset(period)
			}
		}
		last = s.take(last)
		err = s.turn(&last)
		if at := s.core.NextWake(); at < armed || at != flotilla.Never && armed < s.core.node.mono {
			armed = at
			early.Reset(max(0, time.Duration(at-s.clock.mono()))*time.Millisecond + time.Microsecond)
		}
	}
	s.end()
	return fmt.Errorf("node %v: %w", s.cfg.Self, err)
}

// turn hands the core what has arrived, and carries out what it asks for.
func (s *Server) turn(in *inbox) error {
	for _, task := range in.tasks {
		task()
	}
	work, err := s.core.Turn(&in.Input)
	if err != nil {
		return err
	}
	for _, job := range work.Snapshots {
		s.tasks.Go(func() { s.sendSnapshot(job) })
	}
	for _, r := range work.Reads {
		s.serveRemote(r)
	}
	s.notePatience()
	return nil
}

// patience says that a group's calls may wait for the loop to wake by itself: writes of fewer
// than enough commands, reads while a round that confirms reads is on its way. So more of them share the
// next parcel or round.
type patience struct {
	enough int
	reads  bool
}

// notePatience says which calls need not wake the loop. Those that came while it
// was said wrongly do so now.
func (s *Server) notePatience() {
	s.mu.Lock()
	missed := false
	for _, r := range s.core.node.routeOrder {
		for int(r.group) >= len(s.patience) {
			s.patience = append(s.patience, patience{})
		}
		now := patience{enough: s.core.node.enough(r), reads: s.core.node.isConfirming(r.group)}
		before := s.patience[r.group]
		missed = missed || now.enough < before.enough && s.inbox.commands >= now.enough || before.reads && !now.reads && len(s.inbox.Calls) > 0
		s.patience[r.group] = now
	}
	s.mu.Unlock()
	if missed {
		s.poke()
	}
}

// take swaps the inbox for an empty one; used is one that was taken before.
func (s *Server) take(used inbox) inbox {
	clear(used.Calls)
	clear(used.Cancels)
	clear(used.Frames)
	clear(used.tasks)
	used = inbox{Input: Input{Calls: used.Calls[:0], Cancels: used.Cancels[:0], Frames: used.Frames[:0]}, tasks: used.tasks[:0]}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.inbox
	s.inbox = used
	return taken
}

// poke wakes the loop.
func (s *Server) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// post has a function called by the loop, unless the server has ended.
func (s *Server) post(task func()) bool {
	s.mu.Lock()
	ended := s.ended
	if !ended {
		s.inbox.tasks = append(s.inbox.tasks, task)
	}
	s.mu.Unlock()
	s.poke()
	return !ended
}

// end answers all that waits, and waits for all that was started.
func (s *Server) end() {
	s.mu.Lock()
	s.ended = true
	in := s.inbox
	s.inbox = inbox{}
	s.mu.Unlock()
	for _, task := range in.tasks {
		task()
	}
	s.core.Stop(&in.Input)
	s.stopTasks()
	s.tasks.Wait()
	close(s.stopped)
}

// Receive takes a frame from the transport.
func (s *Server) Receive(from flotilla.NodeID, bytes []byte) {
	f, err := s.core.Decode(from, bytes)
	if err != nil {
		s.cfg.Log.Warn("a frame could not be read", "node", from, "err", err)
	}
	if f.hello != nil {
		s.pulse.hear(from, f.hello, s.clock.mono())
	}
	s.deliver(f)
}

// maxWaitingFrames bounds the frames that wait for the loop: more are dropped, as
// by a network that is overloaded. Raft and routes send again.
const maxWaitingFrames = 16_384

func (s *Server) deliver(f *Frame) bool {
	s.mu.Lock()
	ok := !s.ended && (len(s.inbox.Frames) < maxWaitingFrames || f.snapshot != nil)
	if ok {
		s.inbox.Frames = append(s.inbox.Frames, f)
	}
	s.mu.Unlock()
	s.poke()
	return ok
}

// Self returns this node.
func (s *Server) Self() flotilla.NodeID { return s.cfg.Self }

// NoteFault has the journal say that a lab broke or mended something: on the way to a
// peer, or, with peer 0, of the node itself.
func (s *Server) NoteFault(word string, peer flotilla.NodeID, value int64) {
	s.post(func() {
		s.core.node.journal.write(Note{Kind: NoteFault, Word: word, Peer: peer, Value: value})
	})
}

// Topology returns the newest known picture of the cluster.
func (s *Server) Topology() *flotilla.Topology { return s.core.Topology() }

// Status asks the node how it is.
func (s *Server) Status() Status {
	answer := make(chan Status, 1)
	if !s.post(func() { answer <- s.core.Status() }) {
		return Status{Cluster: s.cfg.Cluster, Node: s.cfg.Self, Name: s.cfg.Self.String(), PID: os.Getpid()}
	}
	var st Status
	select {
	case st = <-answer:
	case <-s.stopped:
	}
	st.PID, st.StartedAt = os.Getpid(), flotilla.Millis(s.clock.started.UnixMilli())
	return st
}

// Drain has this node give all its leaders away, and returns once it leads
// nothing or ctx ended.
func (s *Server) Drain(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(s.cfg.TickMillis) * time.Millisecond)
	defer tick.Stop()
	for {
		left := make(chan int, 1)
		if !s.post(func() { left <- s.core.Drain() }) {
			return nil
		}
		select {
		case count := <-left:
			if count == 0 {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped:
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped:
			return nil
		}
	}
}

var (
	_ flotilla.Host = (*Server)(nil)
	_ Receiver      = (*Server)(nil)
)
