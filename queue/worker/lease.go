package worker

import (
	"context"
	"sync"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"
)

// keeper extends the lease of one job while it runs.
//
//	arrived      1/3        2/3        3/3 of the lease
//	  ├───────────┼──────────┼──────────┤
//	              extend ────▶ ok: begins anew
//	                         ▲ no answer: again, until the lease is over
//
// A lease that was counted from the arrival of its message ends no earlier with the
// queue than here, apart from the time that the answer was on its way: so the keeper
// gives up a little before.
type keeper struct {
	stopping context.CancelFunc
	done     sync.WaitGroup
	mu       sync.Mutex
	until    time.Time // guarded by mu: when the lease is over
}

const (
	leaseParts  = 3 // the lease is extended when one of so many parts is over
	leaseMargin = 10
)

// keep extends a job's lease until stop is called, also when the worker stops and the
// Handler has yet to notice. If that does not work, lost is called.
func (r *runner) keep(job *Job, arrived time.Time, lost func()) *keeper {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.hard))
	k := &keeper{stopping: cancel, until: arrived.Add(r.lease - r.lease/leaseMargin)}
	k.done.Go(func() {
		for ctx.Err() == nil {
			pause(ctx, r.lease/leaseParts)
			if ctx.Err() != nil {
				return
			}
			if !r.extend(ctx, job, k) {
				if ctx.Err() == nil {
					lost()
				}
				return
			}
		}
	})
	return k
}

// extend gives a lease its full length again, and reports whether it is ours still.
func (r *runner) extend(ctx context.Context, job *Job, k *keeper) bool {
	for {
		asked := time.Now()
		limited, cancel := context.WithDeadline(ctx, k.end())
		results, err := r.Client.Extend(limited, r.Queue, rest.Extended{Receipt: job.Receipt, LeaseSeconds: int64(r.lease / time.Second)})
		cancel()
		switch {
		case err == nil && len(results) == 1 && results[0].Problem == nil:
			k.mu.Lock()
			k.until = asked.Add(r.lease - r.lease/leaseMargin)
			k.mu.Unlock()
			return true
		case err == nil:
			return false // the queue says that it is another's, or gone, or that it was held for too long
		case rest.CodeOf(err) == queue.CodeQueueDoesNotExist, !time.Now().Before(k.end()):
			return false
		}
		pause(limitedBy(ctx, k.end()))
		if ctx.Err() != nil {
			return false
		}
	}
}

// limitedBy returns how long to pause between two attempts.
func limitedBy(ctx context.Context, end time.Time) (context.Context, time.Duration) {
	return ctx, min(pauseAfterError, max(0, time.Until(end)))
}

// end returns when the lease is over, as far as is known here.
func (k *keeper) end() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.until
}

// stop ends the extending, and returns once it has.
func (k *keeper) stop() {
	k.stopping()
	k.done.Wait()
}
