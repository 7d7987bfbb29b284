package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"

	"github.com/redis/go-redis/v9"
)

// LoadOptions says what clients do, and where.
type LoadOptions struct {
	Addresses []string // the nodes' Redis doors
	Groups    int      // how many own slots; zero means one
	Workload  scenario.Workload
	Seed      uint64 // what is asked for can be repeated; when, can not
	// Stays has each client ask one node only, whatever becomes of it. Otherwise it
	// turns to the next one after a failure.
	Stays bool
	// Silence is for how long a group may answer nothing (scenario.MaxSilence). A client that asked for
	// nothing for half as long does not show it.
	Silence time.Duration
	// DriftPPM is how wrongly, in millionths, a node may count the age of what it
	// answers a bounded read with: its clock against that of another one.
	DriftPPM int
}

// Load is a number of clients that ask for all kinds of things at once, each over
// one connection, and write down what came of it.
//
// Keys are shared by all clients, so that they get into each other's way. Each Epoch
// the clients turn to new ones: an operation without an answer may take effect at
// any time later, and a search for an order would have to try it everywhere.
type Load struct {
	Recorder *check.Recorder
	Run      string // part of each key: no two loads share any
	Began    time.Time

	options  LoadOptions
	stop     context.CancelFunc
	clients  sync.WaitGroup
	sessions atomic.Int64
	quiet    *quiet
	clocks   clocks          // how wrong they may have been
	counts   [3]atomic.Int64 // by place in outcomes
	refusals atomic.Int64    // for want of room or of a majority

	hasPassing bool // some keys empty themselves

	mu      sync.Mutex        // guards all below
	odd     []string          // answers that no fault explains, such as a syntax error
	lives   []life            // values that empty themselves
	watched []check.Watched   // transactions that were carried out
	gaveUp  []check.Watched   // and that were not, though their keys were there
	members map[string]string // of each set, one that was put in
}

// Epoch is for how long a key is used.
const Epoch = 5 * time.Second

const pause = time.Duration(scenario.FailurePause) * time.Millisecond

// outcomes in the order of Load.counts.
var outcomes = [3]check.Outcome{check.Known, check.Unknown, check.Refused}

// StartLoad has clients work until Stop.
func StartLoad(o LoadOptions) *Load {
	l := &Load{options: o, Began: time.Now(), Run: strconv.FormatInt(time.Now().UnixNano(), 36), members: map[string]string{}}
	l.Recorder = check.NewRecorder(l.now)
	l.hasPassing = slices.ContainsFunc(o.Workload.Load, func(p scenario.Part) bool { return p.Operation == scenario.SetEx })
	l.quiet = newQuiet(o, l.Began)
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	for number := range o.Workload.Clients {
		l.clients.Go(func() { l.client(ctx, number) })
	}
	return l
}

// now is the time on the recorder's clock.
func (l *Load) now() int64 { return int64(time.Since(l.Began)) }

// Stop ends the load: what is under way is waited for.
func (l *Load) Stop() {
	l.stop()
	l.clients.Wait()
	l.quiet.end(time.Now())
}

// client is one of a load's. Only its goroutine uses it.
type client struct {
	load     *Load
	number   int
	node     int
	chance   *rand.Rand
	sequence int
	link     *link
}

// link is a connection, and the session on it.
type link struct {
	client  *redis.Client
	conn    *redis.Conn
	address string
	session int              // the client's name in the history
	reading scenario.Reading // the level at which it reads now
}

// Dial returns a client with one connection that retries nothing by itself: what
// becomes of an attempt is what we are here to see.
func Dial(address string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: address, MaxRetries: -1, PoolSize: 1, DialTimeout: time.Second, DialerRetries: 1,
		ReadTimeout: 6 * time.Second, WriteTimeout: time.Second, ContextTimeoutEnabled: true,
		DisableIdentity: true,
	})
}

// connect begins a new session.
func (l *Load) connect(address string) *link {
	c := Dial(address)
	return &link{client: c, conn: c.Conn(), address: address, session: int(l.sessions.Add(1))}
}

// reconnect begins a new session in the place of one.
func (l *Load) reconnect(k *link) {
	k.close()
	*k = *l.connect(k.address)
}

// close hangs up. Nothing is under way: each operation was waited for.
func (k *link) close() {
	_ = k.conn.Close()
	_ = k.client.Close()
}

// client works until ctx ends.
func (l *Load) client(ctx context.Context, number int) {
	nodes := len(l.options.Addresses)
	c := &client{load: l, number: number, node: number % nodes, chance: rand.New(rand.NewPCG(l.options.Seed, uint64(number)))}
	c.link = l.connect(l.options.Addresses[c.node])
	defer func() { c.link.close() }()
	think := l.options.Workload.Think
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = time.Duration(think.Least+c.upTo(think.Most-think.Least)) * time.Millisecond
		begin := time.Now()
		done := c.act()
		l.quiet.heard(c.number, c.node, done, begin, time.Now())
		if done.Outcome == check.Known {
			continue
		}
		wait += pause
		c.link.close()
		if !l.options.Stays {
			c.node = (c.node + 1) % nodes
		}
		c.link = l.connect(l.options.Addresses[c.node])
	}
}

// Do records one operation; ask says what the client was told.
func (l *Load) Do(o check.Operation, ask func(*check.Operation) error) check.Operation {
	done := l.Recorder.Do(o, func(o *check.Operation) {
		err := ask(o)
		outcome, isOdd := OutcomeOf(err)
		o.Outcome = outcome
		if isRefusal(err) {
			l.refusals.Add(1)
		}
		if isOdd {
			l.mu.Lock()
			l.odd = append(l.odd, fmt.Sprintf("%s %s: %v", o.Kind, o.Key, err))
			l.mu.Unlock()
		}
	})
	for i, outcome := range outcomes {
		if done.Outcome == outcome {
			l.counts[i].Add(1)
		}
	}
	return done
}

// Counts says how many operations there were so far, in words.
func (l *Load) Counts() string {
	return fmt.Sprintf("%d answered, %d with unknown outcome, %d refused", l.counts[0].Load(), l.counts[1].Load(), l.counts[2].Load())
}

// Odd returns answers that no fault explains.
func (l *Load) Odd() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.odd...)
}

// errBeforeSending means that nothing was asked for that changes anything.
var errBeforeSending = errors.New("failed before anything was asked for")

// refusals are the words with which the door says that a command did not happen.
var refusals = []string{"CLUSTERDOWN", "TRYAGAIN", "OOM", "EXECABORT", "LOADING"}

// isRefusal reports whether a node has said that nothing was done, because there is no room or
// no majority.
func isRefusal(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && (strings.HasPrefix(err.Error(), "OOM ") || strings.Contains(err.Error(), string(flotilla.NoQuorum)))
}

// OutcomeOf says what a client knows after an error, and whether it is odd.
func OutcomeOf(err error) (outcome check.Outcome, isOdd bool) {
	if err == nil {
		return check.Known, false
	}
	var network *net.OpError
	if errors.Is(err, errBeforeSending) || errors.As(err, &network) && network.Op == "dial" {
		return check.Refused, false
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return check.Unknown, false // the connection broke, or nobody answered in time
	}
	for _, word := range refusals {
		if strings.HasPrefix(err.Error(), word+" ") {
			return check.Refused, false
		}
	}
	return check.Unknown, !strings.HasPrefix(err.Error(), "UNKNOWN ")
}
