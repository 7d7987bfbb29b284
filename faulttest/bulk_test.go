package faulttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/lab"
	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

// dataset is many keys whose values follow from their numbers: whoever knows the
// number can tell whether a value is right, so that none has to be remembered.
type dataset struct {
	name               string
	keys               int
	minBytes, maxBytes int // of a value, which no compression makes smaller
}

func (d dataset) key(i int) string { return fmt.Sprintf("%s:%08d", d.name, i) }

// value appends the value of key i to b.
func (d dataset) value(b []byte, i int) []byte {
	chance := rand.New(rand.NewPCG(uint64(i), uint64(d.keys)))
	size := d.minBytes + chance.IntN(d.maxBytes-d.minBytes+1)
	b = append(b[:0], make([]byte, (size+7)/8*8)...)
	for at := 0; at < len(b); at += 8 {
		binary.LittleEndian.PutUint64(b[at:], chance.Uint64())
	}
	return b[:size]
}

// workers is how many connections load or check a dataset.
const workers = 8

// load writes the keys from <= i < to through the nodes, as pipelines of depth
// commands. What is refused or uncertain is written again: the same value.
func (d dataset) load(t *testing.T, addresses []string, from, to, depth int) {
	t.Helper()
	began := time.Now()
	var retries atomic.Int64
	d.share(t, addresses, from, to, depth, func(c *redis.Client, values [][]byte, first, last int) error {
		for attempt := 0; ; attempt++ {
			pipe := c.Pipeline()
			for i := first; i < last; i++ {
				values[i-first] = d.value(values[i-first], i)
				pipe.Set(context.Background(), d.key(i), values[i-first], 0)
			}
			_, err := pipe.Exec(context.Background())
			if err == nil {
				return nil
			}
			if outcome, isOdd := lab.OutcomeOf(err); isOdd || attempt == 200 {
				return fmt.Errorf("%v after %d attempts: %w", outcome, attempt+1, err)
			}
			retries.Add(1)
			pass(100 * time.Millisecond) // as a client does who is told to try again
		}
	})
	took := time.Since(began)
	t.Logf("wrote %d keys of %d to %d bytes in %v (%.0f keys/s), %d pipelines had to be repeated",
		to-from, d.minBytes, d.maxBytes, took.Round(time.Millisecond), float64(to-from)/took.Seconds(), retries.Load())
}

// share has work done on runs of depth keys by several connections.
func (d dataset) share(t *testing.T, addresses []string, from, to, depth int, do func(c *redis.Client, values [][]byte, first, last int) error) {
	t.Helper()
	var next atomic.Int64
	var failed atomic.Bool
	next.Store(int64(from))
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			c := dial(addresses[w%len(addresses)])
			defer c.Close()
			values := make([][]byte, depth)
			for !failed.Load() {
				first := int(next.Add(int64(depth))) - depth
				if first >= to {
					return
				}
				if err := do(c, values, first, min(first+depth, to)); err != nil {
					t.Errorf("keys from %s on, asked %s: %v", d.key(first), c.Options().Addr, err)
					failed.Store(true)
				}
			}
		})
	}
	all.Wait()
	if failed.Load() {
		t.FailNow()
	}
}

// verify reads the keys from <= i < to, each step-th of them, and compares the
// values with what they must be. Reads are linearizable, or answered by each
// node from its own copy.
func (d dataset) verify(t *testing.T, addresses []string, from, to, step int, isEventual bool) {
	t.Helper()
	const depth = 8
	began := time.Now()
	var checked, bad atomic.Int64
	d.share(t, addresses, 0, (to-from+step-1)/step, depth, func(c *redis.Client, values [][]byte, first, last int) error {
		ctx := context.Background()
		pipe := c.Pipeline()
		if isEventual {
			pipe.ReadOnly(ctx)
		}
		var replies []*redis.StringCmd
		for n := first; n < last; n++ {
			replies = append(replies, pipe.Get(ctx, d.key(from+n*step)))
		}
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		for n, reply := range replies {
			i := from + (first+n)*step
			values[n] = d.value(values[n], i)
			got, err := reply.Bytes()
			checked.Add(1)
			if err == nil && bytes.Equal(got, values[n]) {
				continue
			}
			if bad.Add(1) < 10 {
				t.Errorf("%s at %s: %d bytes, error %v; want %d bytes that were acknowledged", d.key(i), c.Options().Addr, len(got), err, len(values[n]))
			}
		}
		return nil
	})
	t.Logf("%d values are right, read in %v", checked.Load()-bad.Load(), time.Since(began).Round(time.Millisecond))
}

// scan walks all keys of the store and demands that they are the dataset's, each once or more.
func (d dataset) scan(t *testing.T, address string) {
	t.Helper()
	began := time.Now()
	c := dial(address)
	defer c.Close()
	seen := make([]bool, d.keys)
	count := 0
	for cursor, isFirst := uint64(0), true; isFirst || cursor != 0; isFirst = false {
		var keys []string
		var err error
		if keys, cursor, err = c.Scan(context.Background(), cursor, d.name+":*", 1000).Result(); err != nil {
			t.Fatalf("SCAN: %v", err)
		}
		for _, key := range keys {
			i, err := strconv.Atoi(strings.TrimPrefix(key, d.name+":"))
			if err != nil || i >= d.keys {
				t.Fatalf("SCAN finds %q, which nobody wrote", key)
			}
			if !seen[i] {
				seen[i] = true
				count++
			}
		}
	}
	if count != d.keys {
		t.Errorf("SCAN finds %d of %d keys", count, d.keys)
	}
	t.Logf("SCAN walked %d keys in %v", count, time.Since(began).Round(time.Millisecond))
}

// node returns what is known of one node.
func (f *fleet) node(id flotilla.NodeID) supervisor.NodeOverview {
	f.T.Helper()
	o := f.Status()
	return o.Nodes[id-1]
}

// ask asks a node for its status. It is cheaper than f.status.
func ask(httpAddress string) (cluster.Status, error) {
	var s cluster.Status
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Get("http://" + httpAddress + "/api/status")
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// waitEqual waits until all nodes have applied the same index in every group.
// Nobody may be writing.
func (f *fleet) waitEqual(limit time.Duration) {
	f.T.Helper()
	o := f.Status()
	var applied []map[flotilla.GroupID]uint64
	labtest.Eventually(f.T, limit, "all copies to be at the same index", func() bool {
		applied = applied[:0]
		for _, n := range o.Nodes {
			s, err := ask(n.HTTPAddr)
			at := map[flotilla.GroupID]uint64{}
			for _, g := range s.Groups {
				if err == nil && g.IsHere && g.Role != "learner" {
					at[g.Group] = g.Applied
				}
			}
			applied = append(applied, at)
		}
		for _, at := range applied {
			if len(at) != len(o.Groups) || fmt.Sprint(at) != fmt.Sprint(applied[0]) {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprint(applied) })
	f.T.Logf("all nodes have applied the same: %v", applied[0])
}
