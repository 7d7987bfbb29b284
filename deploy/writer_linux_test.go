package deploy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"flotilla/lab/labtest"

	"github.com/redis/go-redis/v9"
)

// writer is a cluster-aware client that writes keys of its own, one after the other, for as
// long as it takes each. It is told of one node only, and finds the others by what that one
// says: it gets nowhere when these addresses are of no use outside of the containers.
type writer struct {
	client *redis.ClusterClient
	run    string
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex // guards all below
	written int        // keys, from 0 on, that were acknowledged
	at      time.Time  // when the last one was acknowledged
	gap     time.Duration
	last    error // the last failure
}

// dialCluster returns a client that knows one node. A pool of two connections to each
// node is enough for one that does one thing at a time.
func dialCluster(seed, password string, secure *tls.Config) *redis.ClusterClient {
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{seed}, Password: password, TLSConfig: secure, PoolSize: 2, MaxRedirects: 1, DisableIdentity: true,
		DialTimeout: time.Second, DialerRetries: 1, ReadTimeout: 2 * time.Second, WriteTimeout: time.Second,
		MinRetryBackoff: 20 * time.Millisecond, MaxRetryBackoff: 200 * time.Millisecond,
	})
}

// startWriter has a client write until the test ends.
func startWriter(t *testing.T, client *redis.ClusterClient) *writer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{client: client, run: fmt.Sprint(time.Now().UnixNano()), stop: cancel, at: time.Now()}
	w.ended.Go(func() { w.work(ctx) })
	t.Cleanup(func() {
		cancel()
		w.ended.Wait()
		_ = client.Close() // nothing is under way
	})
	return w
}

func (w *writer) key(i int) string { return fmt.Sprintf("writer:%s:%d", w.run, i) }

func (w *writer) work(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		for {
			err := w.client.Set(ctx, w.key(i), i, 0).Err()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				break
			}
			w.mu.Lock()
			w.last = err
			w.mu.Unlock()
			// By itself this client asks who leads every ten seconds only.
			w.client.ReloadState(ctx)
			<-time.After(10 * time.Millisecond)
		}
		w.mu.Lock()
		now := time.Now()
		w.gap = max(w.gap, now.Sub(w.at))
		w.written, w.at = i+1, now
		w.mu.Unlock()
		<-time.After(2 * time.Millisecond)
	}
}

// goesOn waits until something was written that was asked for after now, and says how long
// that took: a cluster that serves does it at once.
func (w *writer) goesOn(t *testing.T, limit time.Duration, why string) time.Duration {
	t.Helper()
	since := time.Now()
	// What is under way now may have been acknowledged before. Of two more, the second one
	// was asked for after now.
	from := w.count()
	labtest.Eventually(t, limit, "writes "+why, func() bool { return w.count() >= from+2 }, func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return fmt.Sprintf("the last failure was %v", w.last)
	})
	return time.Since(since)
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

// longestGap returns the longest time between two acknowledgements since it was last asked.
func (w *writer) longestGap() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	gap := max(w.gap, time.Since(w.at))
	w.gap = 0
	return gap
}

// check reads all that was acknowledged, from a node that the writer was not told of.
func (w *writer) check(t *testing.T, client *redis.Client) {
	t.Helper()
	w.stop()
	w.ended.Wait()
	const share = 200
	for first := 0; first < w.written; first += share {
		var keys []string
		for i := first; i < min(first+share, w.written); i++ {
			keys = append(keys, w.key(i))
		}
		values, err := client.MGet(t.Context(), keys...).Result()
		if err != nil {
			t.Fatal(err)
		}
		for i, value := range values {
			if value != fmt.Sprint(first+i) {
				t.Fatalf("%s was acknowledged, and is now %v", keys[i], value)
			}
		}
	}
	if w.written == 0 {
		t.Fatal(errors.New("nothing was ever acknowledged"))
	}
	t.Logf("all %d keys that a cluster-aware client was told of are there", w.written)
}
