package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla/check"

	"github.com/redis/go-redis/v9"
)

// load is a number of clients that ask for all kinds of things at once, each over
// one connection and each starting with another node, and write down what came of it.
type load struct {
	t        *testing.T
	run      string // part of each key: no two loads share any
	recorder *check.Recorder
	began    time.Time
	stop     context.CancelFunc
	clients  sync.WaitGroup
	odd      oddities
}

// oddities are answers that no fault explains, such as a syntax error.
type oddities struct {
	mu  sync.Mutex // guards all
	all []string
}

func (o *oddities) add(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, text)
}

// Keys are shared by all clients, so that they get into each other's way; each few
// seconds the clients turn to new ones, so that a search for an order stays short.
const (
	keysOfAKind = 4
	epoch       = 3 * time.Second
	pace        = 4 * time.Millisecond // between two operations of a client
)

// startLoad has clients work until finish.
func startLoad(t *testing.T, addresses []string, clients int) *load {
	t.Helper()
	l := &load{t: t, began: time.Now(), run: strconv.FormatInt(time.Now().UnixNano(), 36)}
	l.recorder = check.NewRecorder(func() int64 { return int64(time.Since(l.began)) })
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	for id := range clients {
		l.clients.Go(func() { l.client(ctx, id, addresses) })
	}
	return l
}

// dial returns a client with one connection that retries nothing by itself: what
// becomes of an attempt is what we are here to see.
func dial(address string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: address, MaxRetries: -1, PoolSize: 1, DialTimeout: time.Second, DialerRetries: 1,
		ReadTimeout: 5 * time.Second, WriteTimeout: time.Second, ContextTimeoutEnabled: true,
		DisableIdentity: true,
	})
}

// client works until ctx ends; after a failure it turns to the next node.
func (l *load) client(ctx context.Context, id int, addresses []string) {
	chance := rand.New(rand.NewPCG(uint64(id), 7)) // what is asked for can be repeated; when, can not
	node := id % len(addresses)
	connection := dial(addresses[node])
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for sequence := 0; ; sequence++ {
		select {
		case <-ctx.Done():
			_ = connection.Close() // nothing is under way on it
			return
		case <-ticker.C:
		}
		done := l.one(connection, id, sequence, chance)
		if done.Outcome != check.Known {
			_ = connection.Close() // what was under way has been written down
			node = (node + 1) % len(addresses)
			connection = dial(addresses[node])
		}
	}
}

// one carries out one operation of a random kind.
func (l *load) one(c *redis.Client, id, sequence int, chance *rand.Rand) check.Operation {
	ctx := context.Background() // an operation ends by its connection's timeouts
	turn := int(time.Since(l.began) / epoch)
	value := fmt.Sprintf("%d-%d", id, sequence)
	key := func(kind string) string {
		return fmt.Sprintf("%s:%s:%d:%d", kind, l.run, turn, chance.IntN(keysOfAKind))
	}
	o := check.Operation{Client: id, Value: value}
	switch pick := chance.IntN(100); {
	case pick < 20:
		o.Key, o.Kind = key("register"), check.Write
		return l.do(o, func(o *check.Operation) error { return c.Set(ctx, o.Key, o.Value, 0).Err() })
	case pick < 45:
		o.Key, o.Kind, o.Value = key("register"), check.Read, ""
		return l.do(o, readRegister(ctx, c))
	case pick < 55:
		o.Key, o.Kind = key("register"), check.CompareAndSet
		return l.do(o, compareAndSet(ctx, c))
	case pick < 70:
		o.Key, o.Kind, o.Value, o.Number = key("counter"), check.Add, "", 1
		return l.do(o, func(o *check.Operation) (err error) { o.Total, err = c.Incr(ctx, o.Key).Result(); return err })
	case pick < 85:
		o.Key, o.Kind = key("set"), check.Insert
		return l.do(o, func(o *check.Operation) error {
			added, err := c.SAdd(ctx, o.Key, o.Value).Result()
			o.Changed = added == 1
			return err
		})
	case pick < 88:
		o.Key, o.Kind, o.Value = key("set"), check.Members, ""
		return l.do(o, func(o *check.Operation) (err error) { o.Values, err = c.SMembers(ctx, o.Key).Result(); return err })
	default:
		// A key of its own for each write: nothing but durability is asked of these.
		o.Key, o.Kind = "once:"+l.run+":"+value, check.Write
		return l.do(o, func(o *check.Operation) error { return c.Set(ctx, o.Key, o.Value, 0).Err() })
	}
}

func readRegister(ctx context.Context, c *redis.Client) func(*check.Operation) error {
	return func(o *check.Operation) (err error) {
		o.Value, err = c.Get(ctx, o.Key).Result()
		o.Found = err == nil
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	}
}

// errNotSwapped ends an attempt whose value is not there to be replaced.
var errNotSwapped = errors.New("not swapped")

// compareAndSet replaces whatever it reads, by WATCH, GET, MULTI, SET, EXEC.
func compareAndSet(ctx context.Context, c *redis.Client) func(*check.Operation) error {
	return func(o *check.Operation) error {
		hasSent := false
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			var err error
			if o.Expect, err = tx.Get(ctx, o.Key).Result(); errors.Is(err, redis.Nil) {
				return errNotSwapped
			} else if err != nil {
				return err
			}
			hasSent = true
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, o.Key, o.Value, 0)
				return nil
			})
			return err
		}, o.Key)
		o.Changed = err == nil
		switch {
		case errors.Is(err, errNotSwapped), errors.Is(err, redis.TxFailedErr):
			return nil
		case err != nil && !hasSent:
			return errBeforeSending // nothing that changes anything has been sent yet
		}
		return err
	}
}

var errBeforeSending = errors.New("failed before anything was asked for")

// do records one operation.
func (l *load) do(o check.Operation, ask func(*check.Operation) error) check.Operation {
	return l.recorder.Do(o, func(o *check.Operation) {
		err := ask(o)
		outcome, isOdd := outcomeOf(err)
		o.Outcome = outcome
		if isOdd {
			l.odd.add(fmt.Sprintf("%s %s: %v", o.Kind, o.Key, err))
		}
	})
}

// refusals are the words with which the door says that a command did not happen.
var refusals = []string{"CLUSTERDOWN", "TRYAGAIN", "OOM", "EXECABORT", "LOADING"}

// outcomeOf says what a client knows after an error, and whether it is odd.
func outcomeOf(err error) (outcome check.Outcome, isOdd bool) {
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

// finish ends the load, reads every key once more from one node, and judges.
func (l *load) finish(address string) []check.Operation {
	l.t.Helper()
	l.stop()
	l.clients.Wait()
	history := l.recorder.History()
	final := readFinal(l.t, l, address, history)
	l.judge(history, final)
	return history
}

// judge fails the test if the history, together with what is there at the end,
// can not be explained.
func (l *load) judge(history []check.Operation, final map[string]check.Final) {
	l.t.Helper()
	for _, text := range l.odd.all {
		l.t.Errorf("no fault explains this answer: %s", text)
	}
	if v := check.Durable(history, final); !v.OK() {
		l.t.Errorf("durability is %v", v)
	}
	// The reads at the end are part of the history, too: they come last.
	v := check.Linearizable(l.recorder.History(), 20*time.Second)
	if !v.OK() {
		l.t.Errorf("linearizability is %v", v)
	} else {
		l.t.Logf("durable and linearizable, %v", v)
	}
}

// readFinal reads each key of a history, as operations that are recorded too.
func readFinal(t *testing.T, l *load, address string, history []check.Operation) map[string]check.Final {
	t.Helper()
	ctx := context.Background()
	c := dial(address)
	defer c.Close()
	final := map[string]check.Final{}
	const reader = 1 << 20 // a client id of its own
	for _, o := range history {
		if _, isDone := final[o.Key]; isDone {
			continue
		}
		var end check.Operation
		switch kind, _, _ := strings.Cut(o.Key, ":"); kind {
		case "counter":
			end = l.do(check.Operation{Client: reader, Key: o.Key, Kind: check.Count}, func(o *check.Operation) (err error) {
				o.Total, err = c.Get(ctx, o.Key).Int64()
				if errors.Is(err, redis.Nil) {
					return nil
				}
				return err
			})
		case "set":
			end = l.do(check.Operation{Client: reader, Key: o.Key, Kind: check.Members}, func(o *check.Operation) (err error) {
				o.Values, err = c.SMembers(ctx, o.Key).Result()
				return err
			})
		default:
			end = l.do(check.Operation{Client: reader, Key: o.Key, Kind: check.Read}, readRegister(ctx, c))
		}
		if end.Outcome != check.Known {
			t.Fatalf("key %s can not be read when all is well again", o.Key)
		}
		final[o.Key] = check.Final{Found: end.Found, Value: end.Value, Total: end.Total, Values: end.Values}
	}
	return final
}
