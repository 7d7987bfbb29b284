package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// readers is how many connections read what is there in the end.
const readers = 8

// readPatience is for how long a key is tried to be read in the end.
const readPatience = 15 * time.Second

// keysOf returns all keys of a history, in order.
func keysOf(history []check.Operation) []string {
	seen := map[string]bool{}
	for _, o := range history {
		for _, p := range append([]check.Operation{o}, o.Parts...) {
			if p.Key != "" {
				seen[p.Key] = true
			}
		}
	}
	keys := make([]string, 0, len(seen))
	for key := range seen {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// whole is the operation that reads all that a key holds, which follows from its name.
func whole(key string) check.Operation {
	o := check.Operation{Key: key, Kind: check.Read}
	switch kind, _, _ := strings.Cut(key, ":"); kind {
	case "counter":
		o.Kind = check.Count
	case "set":
		o.Kind = check.Members
	case "list":
		o.Kind, o.To = check.Range, -1
	}
	return o
}

func finalOf(o check.Operation) check.Final {
	if o.Kind == check.Members {
		slices.Sort(o.Values)
	}
	return check.Final{Found: o.Found, Value: o.Value, Total: o.Total, Values: o.Values}
}

func isEqual(a, b check.Final) bool {
	return a.Found == b.Found && a.Value == b.Value && a.Total == b.Total && slices.Equal(a.Values, b.Values)
}

// overKeys has some workers take keys, each with a session of its own, at first at an address.
func (l *Load) overKeys(keys []string, address string, work func(k *link, key string)) {
	next := make(chan string)
	var workers sync.WaitGroup
	for range readers {
		workers.Go(func() {
			k := l.connect(address)
			defer func() { k.close() }()
			for key := range next {
				work(k, key)
			}
		})
	}
	for _, key := range keys {
		next <- key
	}
	close(next)
	workers.Wait()
}

// ReadFinal reads each key that the load used once more, from the first of some nodes
// that answers. The reads are part of the history, too: they come last. A key that can
// not be read is not in final, and is said in faults; after a few of them, or when ctx
// ends, the rest is left.
func (l *Load) ReadFinal(ctx context.Context, addresses ...string) (final map[string]check.Final, faults []string) {
	final = map[string]check.Final{}
	var mu sync.Mutex // guards final and faults
	l.overKeys(keysOf(l.Recorder.History()), addresses[0], func(k *link, key string) {
		mu.Lock()
		isHopeless := len(faults) >= maxToldKeys
		mu.Unlock()
		if isHopeless || ctx.Err() != nil {
			return
		}
		done, err := l.readOne(ctx, k, key, addresses)
		mu.Lock()
		defer mu.Unlock()
		if done.Outcome != check.Known {
			faults = append(faults, fmt.Sprintf("key %q can not be read in the end: %v", key, err))
			return
		}
		final[key] = finalOf(done)
	})
	return final, faults
}

// readOne reads a key until somebody answers, or patience ends. After each failure it
// turns to the next node, and the link stays with whom it found.
func (l *Load) readOne(ctx context.Context, k *link, key string, addresses []string) (done check.Operation, err error) {
	deadline := time.Now().Add(readPatience)
	for {
		o := whole(key)
		o.Client = k.session
		done = l.Do(o, func(o *check.Operation) error { err = readWhole(k.conn, o); return err })
		if done.Outcome == check.Known || time.Now().After(deadline) || ctx.Err() != nil {
			return done, err
		}
		k.close()
		<-time.After(pause)
		next := (slices.Index(addresses, k.address) + 1) % len(addresses)
		*k = *l.connect(addresses[next])
	}
}

// maxToldKeys bounds how many keys of one kind of fault are told one by one.
const maxToldKeys = 5

// Same reads every key from a node's own copy (from another one's, if it has none), and
// says where it differs from what is there in the end. Nobody may write meanwhile, and
// the node must have applied all there is.
func (l *Load) Same(node flotilla.NodeID, address string, final map[string]check.Final) (faults []string) {
	var mu sync.Mutex // guards faults
	different := 0
	keys := make([]string, 0, len(final))
	for key := range final {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	l.overKeys(keys, address, func(k *link, key string) {
		o := whole(key)
		err := k.readAt(scenario.Reading{Level: flotilla.Eventual})
		if err == nil {
			err = readWhole(k.conn, &o)
		}
		if err == nil && isEqual(finalOf(o), final[key]) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if different++; different > maxToldKeys {
			return
		}
		if err != nil {
			faults = append(faults, fmt.Sprintf("key %q can not be read from %v's copy: %v", key, node, err))
			return
		}
		faults = append(faults, fmt.Sprintf("key %q: %v's copy holds %+v, and the leader's %+v", key, node, finalOf(o), final[key]))
	})
	if different > maxToldKeys {
		faults = append(faults, fmt.Sprintf("%d more keys of %v differ", different-maxToldKeys, node))
	}
	return faults
}

// Overdue waits for all keys that empty themselves, and says which are still there when
// patience ends: they were given a second at most. Of those in unread nobody answered then.
func (l *Load) Overdue(address string, patience time.Duration) (faults, unread []string) {
	var mu sync.Mutex // guards faults and unread
	keys := slices.DeleteFunc(keysOf(l.Recorder.History()), func(key string) bool { return !strings.HasPrefix(key, passing+":") })
	deadline := time.Now().Add(patience)
	l.overKeys(keys, address, func(k *link, key string) {
		n, err := k.conn.Exists(background, key).Result()
		for (err != nil || n != 0) && time.Now().Before(deadline) {
			if err != nil {
				l.reconnect(k) // a connection that broke stays so
			}
			<-time.After(pause)
			n, err = k.conn.Exists(background, key).Result()
		}
		if err == nil && n == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil && len(unread) < maxToldKeys:
			unread = append(unread, fmt.Sprintf("key %q should have expired, and can not be read: %v", key, err))
		case err == nil && len(faults) < maxToldKeys:
			faults = append(faults, fmt.Sprintf("key %q should have expired: %d there", key, n))
		}
	})
	return faults, unread
}
