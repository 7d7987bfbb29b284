package powercut

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"flotilla/check"

	"github.com/redis/go-redis/v9"
)

// load is clients that write as fast as they are answered, and write down what they
// were told. faulttest has the richer one; here it is durability that is asked for.
type load struct {
	recorder     *check.Recorder
	run          string // part of each key: no two loads share any
	stop         context.CancelFunc
	clients      sync.WaitGroup
	acknowledged atomic.Int64
}

// loadClients is how many there are, a third to each node.
const loadClients = 6

func startLoad(ports []string) *load {
	began := time.Now()
	l := &load{run: fmt.Sprint(began.UnixNano())}
	l.recorder = check.NewRecorder(func() int64 { return int64(time.Since(began)) })
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	for id := range loadClients {
		l.clients.Go(func() { l.client(ctx, id, ports) })
	}
	return l
}

// finish ends the load.
func (l *load) finish() {
	l.stop()
	l.clients.Wait()
}

// client writes until ctx ends; after a failure it turns to the next node.
func (l *load) client(ctx context.Context, id int, ports []string) {
	node := id % len(ports)
	c := dial(ports[node])
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for sequence := 0; ctx.Err() == nil; sequence++ {
		<-pause.C
		if l.one(c, id, sequence) == check.Known {
			l.acknowledged.Add(1)
			continue
		}
		_ = c.Close() // what was under way has been written down
		node = (node + 1) % len(ports)
		c = dial(ports[node])
	}
	_ = c.Close()
}

// one writes once: mostly a key of its own, now and then a shared counter.
func (l *load) one(c *redis.Client, id, sequence int) check.Outcome {
	ctx := context.Background() // an operation ends by its connection's timeouts
	o := check.Operation{Client: id, Key: fmt.Sprintf("once:%s:%d-%d", l.run, id, sequence), Kind: check.Write, Value: fmt.Sprint(sequence)}
	ask := func(o *check.Operation) error { return c.Set(ctx, o.Key, o.Value, 0).Err() }
	if sequence%5 == 0 {
		o = check.Operation{Client: id, Key: fmt.Sprintf("counter:%s:%d", l.run, sequence/100), Kind: check.Add, Number: 1}
		ask = func(o *check.Operation) (err error) { o.Total, err = c.Incr(ctx, o.Key).Result(); return err }
	}
	return l.recorder.Do(o, func(o *check.Operation) { o.Outcome = outcomeOf(ask(o)) }).Outcome
}

// outcomeOf says what a client knows after an error. Taking a refusal for an unknown
// outcome is harmless here: it only allows more.
func outcomeOf(err error) check.Outcome {
	var network *net.OpError
	switch {
	case err == nil:
		return check.Known
	case errors.As(err, &network) && network.Op == "dial":
		return check.Refused
	default:
		return check.Unknown
	}
}

// readFinal reads what a key holds at the end. It is part of the history, too.
func (l *load) readFinal(c *redis.Client, key string) (final check.Final, err error) {
	o := check.Operation{Client: loadClients, Key: key, Kind: check.Read}
	if key[0] == 'c' {
		o.Kind = check.Count
	}
	l.recorder.Do(o, func(o *check.Operation) {
		if o.Kind == check.Count {
			o.Total, err = c.Get(context.Background(), key).Int64()
		} else {
			o.Value, err = c.Get(context.Background(), key).Result()
		}
		o.Found = err == nil
		if errors.Is(err, redis.Nil) {
			err = nil
		}
		o.Outcome = outcomeOf(err)
		final = check.Final{Found: o.Found, Value: o.Value, Total: o.Total}
	})
	return final, err
}
