package redis

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/store"
)

// DefaultMaxClients is how many connections a Server takes unless told otherwise.
const DefaultMaxClients = 10000

// Server is the store's door on one node. Set the fields, then call Serve; they
// must not be changed after that.
type Server struct {
	// Host carries out commands and knows the cluster.
	Host flotilla.Host
	// Password is what AUTH asks for; empty means that nobody has to authenticate.
	Password string
	// MaxClients bounds the connections; more are told so and closed. Zero means
	// DefaultMaxClients. CONFIG SET maxclients changes it while serving.
	MaxClients int
	// ShowLeaders has CLUSTER SLOTS and the like show each leader as a master of its
	// groups' slots, and DBSIZE, KEYS, SCAN, RANDOMKEY, FLUSHALL and FLUSHDB speak of
	// these alone. It must be the same on all nodes. See picture.
	ShowLeaders bool
	// ReplyBytes is what replies on their way to clients may take in memory, each counted
	// twice. Zero means DefaultReplyBytes.
	ReplyBytes int64
	// Version is Flotilla's, shown by INFO.
	Version string
	// HasRoom, if set, says whether the disk still takes data; DiskBytes how much it
	// holds, and CPUSeconds what the process has used, for INFO.
	HasRoom    func() bool
	DiskBytes  func() uint64
	CPUSeconds func() (user, system float64)
	// Log may be nil.
	Log *slog.Logger

	once      sync.Once
	startedAt time.Time
	runID     string
	config    config
	handlers  map[*store.Command]handler
	commands  map[*store.Command]*commandStats
	specs     func() map[string]*commandSpec // read when first asked for
	hub       hub
	replies   budget
	waiting   waiters
	distant   distant
	poll      time.Duration // pollWithEvents, but for tests
	writeTime time.Duration // the constant, but for tests
	cancels   []func()

	counters  counters
	lastID    atomic.Uint64
	lastDrop  atomic.Int64 // Unix milliseconds of the last line of logDrop
	isClosing atomic.Bool
	hard      context.Context // ends when connections may not finish what they do
	giveUp    context.CancelFunc
	served    sync.WaitGroup // the connections' goroutines

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]bool
	conns     map[uint64]*conn
}

// Stats counts what a server has done since it started.
type Stats struct {
	Connections        int    // open now
	Subscribers        int    // of these, in pub/sub mode
	Blocked            int    // of these, waiting in BLPOP and the like
	ConnectionsTotal   uint64 // accepted
	Rejected           uint64 // because there were too many
	Commands           uint64
	Errors             uint64 // error replies
	Runs               uint64 // hand-overs to the host
	BytesIn            uint64
	BytesOut           uint64
	SlowReadersCutOff  uint64
	ProtocolErrors     uint64
	CrossProtocolDrops uint64
	Panics             uint64
	// Reads and Writes are how long commands took that a group answered, in seconds,
	// from when they were handed over; blocking ones, that wait, are not counted.
	Reads, Writes flotilla.Histogram
}

// counters are Stats while they grow.
type counters struct {
	total, rejected, commands, errors, runs, bytesIn, bytesOut atomic.Uint64
	slow, protocolErrors, crossProtocol, panics                atomic.Uint64
	subscribers                                                atomic.Int64
	reads, writes                                              latency
}

// commandStats is what INFO commandstats shows of one command.
type commandStats struct{ calls, failed, rejected, nanos atomic.Uint64 }

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	c := &s.counters
	return Stats{
		Connections: open, Subscribers: int(c.subscribers.Load()), Blocked: s.waiting.len(),
		ConnectionsTotal: c.total.Load(), Rejected: c.rejected.Load(),
		Commands: c.commands.Load(), Errors: c.errors.Load(), Runs: c.runs.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
		SlowReadersCutOff: c.slow.Load(), ProtocolErrors: c.protocolErrors.Load(),
		CrossProtocolDrops: c.crossProtocol.Load(), Panics: c.panics.Load(),
		Reads: c.reads.snapshot(), Writes: c.writes.snapshot(),
	}
}

// start prepares what Serve needs, once.
func (s *Server) start() {
	s.startedAt = time.Now()
	s.runID = hexID(uint64(s.startedAt.UnixNano()))
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.config.start(s.MaxClients)
	s.counters.reads.start()
	s.counters.writes.start()
	s.handlers = doorHandlers()
	s.specs = sync.OnceValue(readSpecs)
	s.commands = map[*store.Command]*commandStats{}
	for _, c := range store.Commands() {
		s.commands[c] = &commandStats{}
	}
	s.listeners = map[net.Listener]bool{}
	s.conns = map[uint64]*conn{}
	if s.poll == 0 {
		s.poll = pollWithEvents
	}
	if s.writeTime == 0 {
		s.writeTime = writeTime
	}
	s.replies.bytes = cmp.Or(s.ReplyBytes, DefaultReplyBytes)
	s.hub.start()
	s.waiting.start()
	s.hard, s.giveUp = context.WithCancel(context.Background())
	s.cancels = []func(){
		s.Host.Subscribe(flotilla.SystemStore, s.onEvent),
		s.Host.Listen(flotilla.SystemStore, s.onMail),
	}
}

// Serve takes connections from a listener, which may speak TLS, until ctx ends or
// Shutdown is called; it closes the listener, and returns once all connections
// that came from it have ended. It may be called for several listeners.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.once.Do(s.start)
	s.mu.Lock()
	s.listeners[listener] = true
	if s.isClosing.Load() { // Shutdown came first, and closed only what it knew
		_ = listener.Close()
	}
	s.mu.Unlock()
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = s.Shutdown(grace) // what it could say is said by the connections' end
	})
	err := s.accept(listener)
	s.mu.Lock()
	delete(s.listeners, listener)
	s.mu.Unlock()
	s.served.Wait()
	if !stop() && ctx.Err() != nil {
		<-stopped
	}
	return err
}

// accept returns nil once the server is closing.
func (s *Server) accept(listener net.Listener) error {
	pause := time.Duration(0)
	for {
		socket, err := listener.Accept()
		if s.isClosing.Load() {
			if err == nil {
				_ = socket.Close()
			}
			_ = listener.Close()
			return nil
		}
		var temporary net.Error
		if err != nil && errors.As(err, &temporary) && temporary.Timeout() || isTooManyFiles(err) {
			// Out of file descriptors or the like: others will be given back.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Log.Warn("accept failed", "err", err)
			select {
			case <-time.After(pause):
				continue
			case <-s.hard.Done():
				return nil
			}
		}
		if err != nil {
			return err
		}
		pause = 0
		s.admit(socket)
	}
}

// admit starts serving a connection, or turns it away.
func (s *Server) admit(socket net.Conn) {
	c := newConn(s, socket)
	s.mu.Lock()
	isFull := len(s.conns) >= s.config.maxClients() || s.isClosing.Load()
	if !isFull {
		s.conns[c.id] = c
		s.served.Add(1)
	}
	s.mu.Unlock()
	if isFull {
		s.counters.rejected.Add(1)
		_ = socket.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = socket.Write([]byte("-ERR max number of clients reached\r\n"))
		_ = socket.Close()
		return
	}
	s.counters.total.Add(1)
	go func() {
		defer s.served.Done()
		c.serve(s.hard)
		s.mu.Lock()
		delete(s.conns, c.id)
		s.mu.Unlock()
	}()
}

// dropLogEvery is how often logDrop speaks at most, in milliseconds: whoever
// speaks the wrong protocol tends to try again and again.
const dropLogEvery = 1000

// logDrop tells of a connection that spoke another protocol, and never what it said.
func (s *Server) logDrop(why error, client net.Conn) {
	now, last := time.Now().UnixMilli(), s.lastDrop.Load()
	if now-last < dropLogEvery || !s.lastDrop.CompareAndSwap(last, now) {
		return
	}
	s.Log.Info("a connection spoke another protocol and was closed", "err", why, "client", client.RemoteAddr().String(),
		"do", s.whatInstead(why, client), "so_far", s.counters.crossProtocol.Load())
}

// whatInstead says what somebody should do whose connection spoke another protocol.
func (s *Server) whatInstead(why error, client net.Conn) string {
	if errors.Is(why, errTLS) {
		return "connect without TLS, or start the node with --tls-cert, --tls-key and --tls-ca"
	}
	self := s.self()
	if self.HTTPPort == 0 {
		return "this node has no web page; a web page elsewhere may be trying to send commands through a browser"
	}
	scheme := "http"
	if _, isTLS := client.(*tls.Conn); isTLS { // then the web page is behind TLS, too
		scheme = "https"
	}
	return "open " + scheme + "://" + net.JoinHostPort(self.Host, strconv.Itoa(self.HTTPPort)) +
		"/ for the web page; if nobody meant to, a page elsewhere may be trying to send commands through a browser"
}

// all returns the open connections, in no order.
func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// Shutdown stops listening, lets each connection finish the commands that have
// arrived, and closes it. When ctx ends first, what is still going on is given
// up: its clients get an error or none. It returns ctx.Err() in that case.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.start)
	s.isClosing.Store(true)
	s.mu.Lock()
	for listener := range s.listeners {
		_ = listener.Close()
	}
	s.mu.Unlock()
	for _, c := range s.all() {
		_ = c.socket.SetReadDeadline(time.Unix(1, 0))
	}
	finished := make(chan struct{})
	go func() {
		s.served.Wait()
		close(finished)
	}()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = ctx.Err()
		s.giveUp()
		for _, c := range s.all() {
			_ = c.socket.Close()
		}
		<-finished
	}
	s.giveUp()
	s.distant.announcer.Wait()
	s.mu.Lock()
	cancels := s.cancels
	s.cancels = nil
	s.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
	return err
}

// isRightPassword takes the same time for every wrong password.
func (s *Server) isRightPassword(given []byte) bool {
	a, b := sha256.Sum256(given), sha256.Sum256([]byte(s.Password))
	return constantTimeEqual(a[:], b[:])
}
