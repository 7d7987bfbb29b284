package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// StoreConfig says what Store measures. Zero fields get the defaults that are named.
type StoreConfig struct {
	Addresses   []string      `json:"addresses"`   // host:port each; connections are spread over them in turn
	Connections int           `json:"connections"` // 64
	Pipeline    int           `json:"pipeline"`    // commands that are sent together; 1
	Command     string        `json:"command"`     // one of CommandNames; "mixed" if ReadShare is set, else "set"
	ReadShare   float64       `json:"read_share"`  // of mixed: the share of GET, 0 to 1
	ValueBytes  int           `json:"value_bytes"` // 256
	Keys        int           `json:"keys"`        // 100,000
	Duration    time.Duration `json:"duration_ns"` // of the measured window; 10 s
	Warmup      time.Duration `json:"warmup_ns"`   // before it; none
	Seed        uint64        `json:"seed"`
	Client      string        `json:"client"` // "own" or "go-redis"; "own"
	// SkipFill leaves out writing each key once before commands that read.
	SkipFill bool `json:"skip_fill"`
	// Consistency is sent as CONSISTENCY on each connection, if it is not empty.
	Consistency string `json:"consistency,omitempty"`
	Password    string `json:"-"`
	// PIDs are the server's processes; their CPU time is counted.
	PIDs []int `json:"pids,omitempty"`
	// Pages are open all the while.
	Pages Pages `json:"pages"`
}

// Limits of a StoreConfig, so that a slip of the keyboard does not take the machine down.
const (
	maxConnections = 10_000
	maxPipeline    = 10_000
	maxValueBytes  = 16<<20 - 1<<10 // a command of the store has at most 16 MiB
	maxKeys        = 100_000_000
)

// Check says what is wrong with a StoreConfig, before anything is measured.
func (c StoreConfig) Check() error { return c.complete() }

func (c *StoreConfig) complete() error {
	setDefault(&c.Connections, 64)
	setDefault(&c.Pipeline, 1)
	setDefault(&c.ValueBytes, 256)
	setDefault(&c.Keys, 100_000)
	setDefault(&c.Duration, 10*time.Second)
	setDefault(&c.Client, "own")
	if c.ReadShare > 0 {
		setDefault(&c.Command, "mixed")
	}
	setDefault(&c.Command, "set")
	switch {
	case len(c.Addresses) == 0:
		return errors.New("no address to measure: give --addresses=127.0.0.1:6379, or --dir of a running fleet")
	case c.Connections < 1 || c.Connections > maxConnections:
		return fmt.Errorf("%d connections: give 1 to %d", c.Connections, maxConnections)
	case c.Pipeline < 1 || c.Pipeline > maxPipeline:
		return fmt.Errorf("a pipeline of %d: give 1 to %d", c.Pipeline, maxPipeline)
	case c.ValueBytes < 1 || c.ValueBytes > maxValueBytes:
		return fmt.Errorf("values of %d bytes: give 1 to %d, as a command of the store has at most 16 MiB", c.ValueBytes, maxValueBytes)
	case c.Keys < 1 || c.Keys > maxKeys:
		return fmt.Errorf("%d keys: give 1 to %d", c.Keys, maxKeys)
	case !(c.ReadShare >= 0 && c.ReadShare <= 1):
		return fmt.Errorf("a read share of %v: give 0 to 1", c.ReadShare)
	case c.Duration < 0 || c.Warmup < 0:
		return errors.New("a duration below zero")
	case !slices.Contains(commandNames[:], c.Command):
		return fmt.Errorf("no command %q: give one of %v", c.Command, commandNames)
	case c.Client != "own" && c.Client != "go-redis":
		return fmt.Errorf("no client %q: give own or go-redis", c.Client)
	case !isConsistency(c.Consistency):
		return fmt.Errorf("no consistency %q: give linearizable, session, eventual or \"bounded 100\", which is in milliseconds", c.Consistency)
	}
	return nil
}

// isConsistency reports whether the store's command CONSISTENCY takes a text; "" stands for
// leaving it as it is.
func isConsistency(text string) bool {
	words := strings.Fields(strings.ToLower(text))
	switch {
	case len(words) == 0:
		return true
	case len(words) == 1:
		return slices.Contains([]string{"linearizable", "session", "eventual"}, words[0])
	}
	millis, err := strconv.ParseInt(words[1], 10, 64)
	return len(words) == 2 && words[0] == "bounded" && err == nil && millis >= 0
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// pauseAfterError keeps a worker from spinning on a server that refuses everything.
const pauseAfterError = 10 * time.Millisecond

// lastReplies is how long replies may still take when the window is over.
const lastReplies = time.Second

// Store puts load on a store and reports what it carried. It fails if no server can
// be reached; later errors are counted, and connections are made again. When ctx
// ends before the time, it reports on the time that it had.
func Store(ctx context.Context, config StoreConfig) (report Report, err error) {
	if err := config.complete(); err != nil {
		return Report{}, err
	}
	pages, err := config.Pages.open(ctx)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, pages.close()) }()
	value := makeValue(&config)
	workers := make([]*worker, config.Connections)
	for i := range workers {
		source := newSource(&config, i, value)
		w := &worker{addresses: config.Addresses, number: i, open: func(ctx context.Context, address string) (batch, error) {
			return openStore(ctx, &config, address, source)
		}}
		workers[i] = w
		err := w.connect(ctx)
		defer w.disconnect()
		if err != nil {
			return Report{}, fmt.Errorf("connect to %s: %w", w.address(), err)
		}
	}
	if !config.SkipFill && (config.Command == "get" || config.Command == "mixed") {
		if err := fill(ctx, &config); err != nil {
			return Report{}, fmt.Errorf("write the keys to read: %w", err)
		}
	}
	return Report{Config: config, Figures: measure(ctx, window{config.Warmup, config.Duration, config.PIDs}, workers)}, nil
}

// window says when to measure, and whose CPU time.
type window struct {
	warmup, duration time.Duration
	pids             []int
}

func measure(ctx context.Context, config window, workers []*worker) Figures {
	begin := time.Now().Add(config.warmup)
	ctx, cancel := context.WithDeadline(ctx, begin.Add(config.duration))
	defer cancel()
	var all sync.WaitGroup
	for _, w := range workers {
		w.begin, w.end = begin, begin.Add(config.duration)
		all.Go(func() { w.loop(ctx) })
	}
	sleep(ctx, time.Until(begin))
	before := readUsage(config.pids)
	<-ctx.Done()
	after := readUsage(config.pids)
	took := max(min(time.Since(begin), config.duration), 0) // timers may be late
	stuck := time.AfterFunc(lastReplies, func() {
		for _, w := range workers {
			w.interrupt()
		}
	})
	all.Wait()
	stuck.Stop()

	report := newFigures(took, before, after)
	for _, w := range workers {
		report.add(w)
	}
	report.finish()
	return report
}

// sleep returns after d, or when ctx ended.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// worker is one connection with its goroutine. What it counts belongs to that
// goroutine until measure has waited for it.
type worker struct {
	addresses  []string
	number     int
	attempts   int // to connect
	open       func(ctx context.Context, address string) (batch, error)
	begin, end time.Time // of the window
	latencies  histogram
	operations uint64
	errors     map[string]uint64

	mu    sync.Mutex // guards what follows, which interrupt reads
	batch batch
}

func (w *worker) address() string {
	return w.addresses[(w.number+w.attempts)%len(w.addresses)]
}

// openStore connects to a store.
func openStore(ctx context.Context, config *StoreConfig, address string, source *source) (batch, error) {
	if config.Client != "go-redis" {
		return dial(ctx, config, address, source)
	}
	k := newCommon(config, address, source)
	if err := k.client.Ping(ctx).Err(); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (w *worker) connect(ctx context.Context) error {
	b, err := w.open(ctx, w.address())
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.batch = b
	w.mu.Unlock()
	return nil
}

func (w *worker) disconnect() {
	w.mu.Lock()
	b := w.batch
	w.batch = nil
	w.mu.Unlock()
	if b != nil {
		b.close()
	}
}

// interrupt ends a wait for replies that may never come. The worker finds out by
// the error that it gets.
func (w *worker) interrupt() {
	w.mu.Lock()
	b := w.batch
	w.mu.Unlock()
	if b != nil {
		b.close()
	}
}

func (w *worker) loop(ctx context.Context) {
	for ctx.Err() == nil {
		if w.batch == nil {
			if err := w.connect(ctx); err != nil {
				w.count(ctx, "connect")
				w.attempts++
				sleep(ctx, pauseAfterError)
				continue
			}
		}
		began := time.Now()
		done, failed, err := w.batch.run(ctx)
		now := time.Now()
		if done > 0 && ctx.Err() == nil && !now.Before(w.begin) && now.Before(w.end) {
			w.latencies.add(now.Sub(began))
			w.operations += uint64(done)
		}
		for _, word := range failed {
			w.count(ctx, word)
		}
		if err != nil {
			w.count(ctx, "connection")
			w.disconnect()
			w.attempts++
		}
		if done == 0 {
			sleep(ctx, pauseAfterError)
		}
	}
}

func (w *worker) count(ctx context.Context, word string) {
	if ctx.Err() != nil || time.Now().Before(w.begin) {
		return
	}
	if w.errors == nil {
		w.errors = map[string]uint64{}
	}
	if _, known := w.errors[word]; !known && len(w.errors) >= 32 {
		word = "other"
	}
	w.errors[word]++
}

// fill writes each key once, over a few connections.
func fill(ctx context.Context, config *StoreConfig) error {
	const fillers, together = 16, 64
	c := *config
	c.Pipeline = together
	results := make(chan error, fillers)
	for f := range fillers {
		go func() { results <- fillPart(ctx, &c, f, fillers) }()
	}
	var err error
	for range fillers {
		err = errors.Join(err, <-results)
	}
	return err
}

func fillPart(ctx context.Context, c *StoreConfig, part, parts int) error {
	k, err := dial(ctx, c, c.Addresses[part%len(c.Addresses)], nil)
	if err != nil {
		return err
	}
	defer k.close()
	value := makeValue(c)
	for next := part; next < c.Keys && ctx.Err() == nil; {
		sent := 0
		k.out = k.out[:0]
		for ; next < c.Keys && sent < c.Pipeline && len(k.out) < maxValueBytes; next += parts {
			k.out = appendCommand(k.out, []byte("SET"), appendKey(nil, c.Command, next), value)
			sent++
		}
		if err := k.exchange(sent); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// mergeErrors adds the counts of one worker to those of all.
func mergeErrors(all, one map[string]uint64) {
	for word := range maps.Keys(one) {
		all[word] += one[word]
	}
}
