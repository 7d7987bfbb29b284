package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"
)

// Handler does one job, and returns its result. An error has the job done again, after
// the backoff, unless it is made by Fail, or the job dies of having been received too often
// (RedrivePolicy). Its context ends when the lease was lost (ErrLeaseLost) or when the worker
// can not wait any longer (ErrStopping): see context.Cause.
type Handler func(ctx context.Context, job *Job) (result []byte, err error)

// Worker does the jobs of one queue. Set the fields, then Run.
type Worker struct {
	// Client asks the nodes. Give it the addresses of several.
	Client *rest.Client
	// Queue is the queue's name.
	Queue string
	// Handle does the jobs. It is called from several goroutines at a time.
	Handle Handler
	// Concurrency is how many jobs run at a time; 0 means one.
	Concurrency int
	// Lease is how long a job is ours without a word from us, so how long it takes until
	// somebody else gets it if this process dies; whole seconds, 3 s at least. 0 means 30 s.
	Lease time.Duration
	// Grace is how long running jobs may go on when the worker stops; after that their
	// contexts end, and they are given back. 0 means 20 s; below 0, not at all.
	Grace time.Duration
	// Backoff says how long a job that failed, and was received so many times, waits. Nil
	// means 1 s, twice as long each time, up to 5 min. A queue with an attribute
	// RetryBackoff decides itself. Whole seconds, 12 h at most.
	Backoff func(receives uint64) time.Duration
	// Log may be nil. It is told of what failed, never of what a message says.
	Log *slog.Logger
}

// The limits, and what is used where nothing is said.
const (
	standardLease   = 30 * time.Second
	shortestLease   = 3 * time.Second
	longestLease    = queue.MaxVisibilitySeconds * time.Second
	standardGrace   = 20 * time.Second
	cleanupTimeout  = 10 * time.Second // to say what came of a job, when the worker stops
	firstBackoff    = time.Second
	longestBackoff  = 5 * time.Minute
	maxConcurrency  = 10000
	waitSeconds     = 20 // of each long poll
	pauseAfterError = time.Second
)

// ErrLeaseLost is the cause for which a Handler's context ends when its job's lease was
// lost: somebody else may have the job.
var ErrLeaseLost = errors.New("the job's lease was lost")

// ErrStopping is the cause for which a Handler's context ends when the worker stops and
// Grace is over: the job is given back.
var ErrStopping = errors.New("the worker stops")

// failed is an error that ends a job for good.
type failed struct{ error }

// Unwrap returns what was given to Fail.
func (f failed) Unwrap() error { return f.error }

// Fail returns an error with which a Handler ends its job for good: nobody tries it
// again, and err's text is what it left.
func Fail(err error) error { return failed{err} }

// Job is a message with its lease.
type Job struct {
	rest.Delivery
	worker *Worker
}

// Progress tells how far the job is; who asks for it by its id sees that. The queue has
// to keep results (ResultRetentionPeriod).
func (j *Job) Progress(ctx context.Context, progress []byte) error {
	return j.worker.Client.Progress(ctx, j.worker.Queue, j.Receipt, progress)
}

// Run does jobs until ctx ends; then it takes no new ones, waits for those that run,
// gives back what does not end within Grace, and returns nil. It returns an error at once
// if the queue does not exist, or nobody lets it in, and when the queue is deleted.
func (w *Worker) Run(ctx context.Context) error {
	r, err := w.begin(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("work on %s: %w", w.Queue, err)
	}
	hard, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	r.hard = hard
	err = r.receive(ctx)
	grace := time.AfterFunc(r.grace, func() { end(ErrStopping) })
	defer grace.Stop()
	r.running.Wait()
	if err != nil {
		return fmt.Errorf("work on %s: %w", w.Queue, err)
	}
	return nil
}

// runner is a Worker that runs.
type runner struct {
	*Worker
	log            *slog.Logger
	lease, grace   time.Duration
	most           int             // jobs of one receive
	isQueuesChoice bool            // the queue has a backoff of its own
	hard           context.Context // of all handlers
	slots          chan struct{}   // has one element for each job that runs
	running        sync.WaitGroup
}

// begin checks what was asked for, and that the queue is there.
func (w *Worker) begin(ctx context.Context) (*runner, error) {
	r := &runner{Worker: w, log: w.Log, lease: w.Lease, grace: w.Grace}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.lease == 0 {
		r.lease = standardLease
	}
	if r.grace == 0 {
		r.grace = standardGrace
	}
	concurrency := max(1, w.Concurrency)
	if r.lease < shortestLease || r.lease > longestLease || r.lease%time.Second != 0 {
		return nil, fmt.Errorf("a lease of %v: give whole seconds from %v to %v", r.lease, shortestLease, longestLease)
	}
	if concurrency > maxConcurrency {
		return nil, fmt.Errorf("%d jobs at a time: give %d at most", concurrency, maxConcurrency)
	}
	r.slots = make(chan struct{}, concurrency)
	r.most = queue.MaxBatchEntries
	if strings.HasSuffix(w.Queue, ".fifo") {
		// The second job of a group would wait for the first, and if that fails, be given back:
		// it would count as received, and might die of that without ever having been run.
		r.most = 1
	}
	about, err := w.Client.Queue(ctx, w.Queue)
	if err != nil {
		return nil, err
	}
	choice := about.Attributes["RetryBackoff"]
	r.isQueuesChoice = choice != "" && choice != "none"
	return r, nil
}

// receive takes jobs, as many as there is room for, until ctx ends.
func (r *runner) receive(ctx context.Context) error {
	lease, wait := int64(r.lease/time.Second), int64(waitSeconds)
	for {
		room := r.room(ctx)
		if room == 0 {
			return nil
		}
		jobs, err := r.Client.Receive(ctx, r.Queue, rest.Receive{Count: int64(room), LeaseSeconds: &lease, WaitSeconds: &wait})
		arrived := time.Now()
		for range room - len(jobs) {
			<-r.slots
		}
		for _, d := range jobs {
			r.running.Go(func() { r.work(d, arrived) })
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && isFinal(err):
			return err
		case err != nil:
			r.log.Warn("no jobs can be received; trying again", "queue", r.Queue, "err", err)
			pause(ctx, pauseAfterError)
		}
	}
}

// room takes as many slots as are free, one at least, and no more than one receive may
// give; 0 when ctx has ended.
func (r *runner) room(ctx context.Context) (slots int) {
	select {
	case <-ctx.Done():
		return 0
	case r.slots <- struct{}{}:
		slots = 1
	}
	for slots < r.most {
		select {
		case r.slots <- struct{}{}:
			slots++
		default:
			return slots
		}
	}
	return slots
}

// isFinal reports whether trying again makes no sense.
func isFinal(err error) bool {
	switch rest.CodeOf(err) {
	case queue.CodeQueueDoesNotExist, rest.CodeUnauthorized, rest.CodeForbidden, rest.CodeStrange, rest.CodeMalformed:
		return true
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// work does one job, whose lease is kept from its arrival.
func (r *runner) work(d rest.Delivery, arrived time.Time) {
	ctx, end := context.WithCancelCause(r.hard)
	job := &Job{Delivery: d, worker: r.Worker}
	r.do(ctx, job, r.keep(job, arrived, func() { end(ErrLeaseLost) }))
	end(nil)
	<-r.slots
}

// do does one job, to what is said of it.
func (r *runner) do(ctx context.Context, job *Job, k *keeper) {
	var result []byte
	err := context.Cause(ctx)
	if err == nil {
		result, err = r.call(ctx, job)
	}
	if err == nil && len(result) > queue.MaxResultBytes {
		err = fmt.Errorf("its result has %d bytes: %d at most", len(result), queue.MaxResultBytes)
	}
	k.stop()
	if errors.Is(context.Cause(ctx), ErrLeaseLost) {
		r.log.Warn("a job's lease was lost; somebody else may do it", "queue", r.Queue, "job", job.ID)
		return
	}
	ending, cancel := r.endingContext(k.end())
	defer cancel()
	var forGood failed
	switch {
	case err == nil:
		r.finish(ending, job, rest.Finished{Receipt: job.Receipt, Result: result})
	case errors.As(err, &forGood):
		r.finish(ending, job, rest.Finished{Receipt: job.Receipt, IsFailure: true, Result: bounded(forGood.Error())})
	case errors.Is(context.Cause(ctx), ErrStopping):
		r.giveBack(ending, job, 0)
	default:
		r.log.Info("a job failed, and is given back", "queue", r.Queue, "job", job.ID, "receives", job.Receives, "err", err)
		r.giveBack(ending, job, r.backoff(job.Receives))
	}
}

// endingContext bounds how long it is tried to say what came of a job: until its lease
// is over, and when the worker stops, not for long.
func (r *runner) endingContext(leaseEnds time.Time) (context.Context, context.CancelFunc) {
	patience := max(time.Until(leaseEnds), cleanupTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.hard), patience)
	stop := context.AfterFunc(r.hard, func() { time.AfterFunc(cleanupTimeout, cancel) })
	return ctx, func() { stop(); cancel() }
}

// call calls the Handler. A panic is a failure like any other.
func (r *runner) call(ctx context.Context, job *Job) (result []byte, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			r.log.Error("a job panicked", "queue", r.Queue, "job", job.ID, "err", reason, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return r.Handle(ctx, job)
}

// bounded cuts a text to what a result may hold.
func bounded(text string) []byte { return []byte(text[:min(len(text), queue.MaxResultBytes)]) }

func (r *runner) finish(ctx context.Context, job *Job, f rest.Finished) {
	results, err := r.Client.Finish(ctx, r.Queue, f)
	if err == nil && len(results) == 1 && results[0].Problem != nil {
		err = results[0].Problem
	}
	if err != nil {
		r.log.Warn("a job is done, but the queue was not told; somebody may do it again", "queue", r.Queue, "job", job.ID, "err", err)
	}
}

// giveBack lets others have the job, after a while, in which it holds no place among the
// leased ones. With 0 it is the queue's to say how long.
func (r *runner) giveBack(ctx context.Context, job *Job, wait time.Duration) {
	seconds := min(max(0, int64(wait/time.Second)), queue.MaxRetryDelaySeconds)
	_, err := r.Client.Release(ctx, r.Queue, rest.Release{Receipts: []string{job.Receipt}, DelaySeconds: seconds})
	if err != nil {
		r.log.Warn("a job could not be given back; its lease will run out", "queue", r.Queue, "job", job.ID, "err", err)
	}
}

func (r *runner) backoff(receives uint64) time.Duration {
	if r.isQueuesChoice {
		return 0
	}
	if r.Backoff != nil {
		return r.Backoff(receives)
	}
	wait := firstBackoff
	for i := uint64(1); i < receives && wait < longestBackoff; i++ {
		wait *= 2
	}
	return min(wait, longestBackoff)
}
