package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// QueueConfig says what Queue measures. Zero fields get the defaults that are named.
type QueueConfig struct {
	Addresses   []string      `json:"addresses"`   // host:port each; connections are spread over them in turn
	Connections int           `json:"connections"` // 64
	Work        string        `json:"work"`        // one of QueueWork; "jobs"
	Batch       int           `json:"batch"`       // messages of one request, 1 to 10; 1
	BodyBytes   int           `json:"body_bytes"`  // 256
	Name        string        `json:"name"`        // of the queue, which is created, and stays; "bench"
	Partitions  int           `json:"partitions"`  // 1
	Backlog     int           `json:"backlog"`     // messages that are sent before; none
	Duration    time.Duration `json:"duration_ns"` // of the measured window; 10 s
	Warmup      time.Duration `json:"warmup_ns"`   // before it; none
	PIDs        []int         `json:"pids,omitempty"`
}

// QueueWork returns what can be measured: whole jobs, each sent, received and deleted,
// or one of these steps; receives delete nothing, and need a backlog.
func QueueWork() []string { return []string{"jobs", "send", "receive"} }

const (
	maxBatch     = 10
	maxBodyBytes = 1 << 20
	maxBacklog   = 100_000_000
)

// Check says what is wrong with a QueueConfig, before anything is measured.
func (c QueueConfig) Check() error { return c.complete() }

func (c *QueueConfig) complete() error {
	setDefault(&c.Connections, 64)
	setDefault(&c.Work, "jobs")
	setDefault(&c.Batch, 1)
	setDefault(&c.BodyBytes, 256)
	setDefault(&c.Name, "bench")
	setDefault(&c.Partitions, 1)
	setDefault(&c.Duration, 10*time.Second)
	switch {
	case len(c.Addresses) == 0:
		return errors.New("no address to measure: give --addresses=127.0.0.1:9324, or --dir of a running fleet")
	case c.Connections < 1 || c.Connections > maxConnections:
		return fmt.Errorf("%d connections: give 1 to %d", c.Connections, maxConnections)
	case !slices.Contains(QueueWork(), c.Work):
		return fmt.Errorf("no work %q: give one of %v", c.Work, QueueWork())
	case c.Batch < 1 || c.Batch > maxBatch:
		return fmt.Errorf("a batch of %d: give 1 to %d", c.Batch, maxBatch)
	case c.BodyBytes < 1 || c.BodyBytes*c.Batch > maxBodyBytes:
		return fmt.Errorf("%d messages of %d bytes: together, give 1 to %d", c.Batch, c.BodyBytes, maxBodyBytes)
	case c.Backlog < 0 || c.Backlog > maxBacklog:
		return fmt.Errorf("a backlog of %d: give 0 to %d", c.Backlog, maxBacklog)
	case c.Partitions < 1 || c.Partitions > 64:
		return fmt.Errorf("%d partitions: give 1 to 64", c.Partitions)
	case c.Duration < 0 || c.Warmup < 0:
		return errors.New("a duration below zero")
	}
	return nil
}

// QueueReport is what a run of Queue carried, and what that cost. An operation is a
// message: one whole job, sent, or received.
type QueueReport struct {
	Config QueueConfig `json:"config"`
	Figures
}

// Queue puts load on a queue and reports what it carried, as Store does. It creates the
// queue, and deletes its messages first.
func Queue(ctx context.Context, config QueueConfig) (QueueReport, error) {
	if err := config.complete(); err != nil {
		return QueueReport{}, err
	}
	if err := prepareQueue(ctx, &config); err != nil {
		return QueueReport{}, err
	}
	workers := make([]*worker, config.Connections)
	for i := range workers {
		w := &worker{addresses: config.Addresses, number: i, open: func(ctx context.Context, address string) (batch, error) {
			return dialQueue(ctx, &config, address, config.Work)
		}}
		workers[i] = w
		err := w.connect(ctx)
		defer w.disconnect()
		if err != nil {
			return QueueReport{}, fmt.Errorf("connect to %s: %w", w.address(), err)
		}
	}
	return QueueReport{Config: config, Figures: measure(ctx, window{config.Warmup, config.Duration, config.PIDs}, workers)}, nil
}

// prepareQueue makes a queue that has the backlog and nothing else.
func prepareQueue(ctx context.Context, c *QueueConfig) error {
	k, err := dialQueue(ctx, c, c.Addresses[0], "jobs")
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.Addresses[0], err)
	}
	defer k.close()
	_, _, _ = k.ask("DeleteQueue", fmt.Appendf(nil, `{"QueueUrl":%q}`, k.url)) // there may be none
	attributes := `{"VisibilityTimeout":"600"`
	if c.Partitions > 1 {
		attributes += `,"Partitions":"` + strconv.Itoa(c.Partitions) + `"`
	}
	status, reply, err := k.ask("CreateQueue", fmt.Appendf(nil, `{"QueueName":%q,"Attributes":%s}}`, c.Name, attributes))
	if err != nil {
		return fmt.Errorf("create the queue: %w", err)
	}
	if status != 200 {
		return fmt.Errorf("create the queue: %d %s", status, reply)
	}
	return fillQueue(ctx, c)
}

// fillQueue sends the backlog, in batches over some connections.
func fillQueue(ctx context.Context, config *QueueConfig) error {
	const fillers = 32
	c := *config
	c.Batch = min(maxBatch, maxBodyBytes/c.BodyBytes)
	results := make(chan error, fillers)
	for f := range fillers {
		go func() { results <- fillQueuePart(ctx, &c, f, c.Backlog/fillers) }()
	}
	var err error
	for range fillers {
		err = errors.Join(err, <-results)
	}
	return err
}

func fillQueuePart(ctx context.Context, c *QueueConfig, part, messages int) error {
	k, err := dialQueue(ctx, c, c.Addresses[part%len(c.Addresses)], "send")
	if err != nil {
		return err
	}
	defer k.close()
	for sent := 0; sent < messages && ctx.Err() == nil; {
		done, failed, err := k.run(ctx)
		if err != nil {
			return err
		}
		if len(failed) > 0 {
			sleep(ctx, pauseAfterError)
		}
		sent += done
	}
	return ctx.Err()
}

// Print writes the report for people.
func (r QueueReport) Print(w io.Writer) error {
	c := r.Config
	var b strings.Builder
	what := map[string]string{"jobs": "jobs", "send": "messages sent", "receive": "messages received"}[c.Work]
	fmt.Fprintf(&b, "%s, %d connections, batches of %d, bodies of %d bytes, %d partitions, a backlog of %d, %.1f s\n",
		what, c.Connections, c.Batch, c.BodyBytes, c.Partitions, c.Backlog, r.Seconds)
	r.print(&b, what)
	_, err := io.WriteString(w, b.String())
	return err
}
