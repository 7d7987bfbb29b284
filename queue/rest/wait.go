package rest

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"flotilla"
	"flotilla/queue"
)

// pollEvery is how often one who waits for a job looks without having been told of its
// end: events come at most once, and only to nodes that hold a copy of the queue's group.
const pollEvery = time.Second

// jobName names a job of the cluster.
type jobName struct{ queue, id string }

// waiters are those who wait for the end of a job. A request has one place at most, so
// that intake.MaxRequests bounds them.
type waiters struct {
	cancel func()
	mu     sync.Mutex
	places map[jobName][]chan struct{} // guarded by mu; hear closes the channels
}

// listen begins to hear of jobs that ended.
func (w *waiters) listen(host flotilla.Host) {
	w.places = map[jobName][]chan struct{}{}
	w.cancel = host.Subscribe(flotilla.SystemQueue, w.hear)
}

// hear is told of events, in the node's loop.
func (w *waiters) hear(e flotilla.Event) {
	if e.Name != queue.EventEnded {
		return
	}
	name := jobName{string(e.Key), string(e.Body)}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, woken := range w.places[name] {
		close(woken)
	}
	delete(w.places, name)
}

// wait takes a place. Who leaves it unwoken gives it up by leave.
func (w *waiters) wait(name jobName) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	woken := make(chan struct{})
	w.places[name] = append(w.places[name], woken)
	return woken
}

func (w *waiters) leave(name jobName, woken chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := slices.Index(w.places[name], woken)
	if at < 0 {
		return // it was woken
	}
	w.places[name] = slices.Delete(w.places[name], at, at+1)
	if len(w.places[name]) == 0 {
		delete(w.places, name)
	}
}

// job answers with what became of a job: now, or as soon as it has ended.
func (h *Handler) job(ctx context.Context, a args) (*Job, error) {
	seconds, err := a.number("wait_seconds", 0, 0, maxWaitSeconds)
	if err != nil {
		return nil, err
	}
	name := jobName{a.queue(), a.path["id"]}
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	for {
		woken := h.waiters.wait(name) // before looking, so that nothing is missed
		job, err := h.lookUp(ctx, name)
		left := time.Until(deadline)
		if err != nil || job.HasEnded() || left <= 0 {
			h.waiters.leave(name, woken)
			return job, err
		}
		timer := time.NewTimer(min(left, pollEvery))
		select {
		case <-woken:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		h.waiters.leave(name, woken)
		if ctx.Err() != nil {
			return nil, problem(http.StatusServiceUnavailable, CodeUnavailable, "The node stops: ask another.")
		}
	}
}

func (h *Handler) lookUp(ctx context.Context, name jobName) (*Job, error) {
	var job queue.Job
	if err := h.Client.Read(ctx, name.queue, &queue.DescribeJob{QueueName: name.queue, MessageID: name.id}, &job); err != nil {
		return nil, err
	}
	return &Job{ID: name.id, Status: job.Status, Progress: job.Progress, Result: job.Result, EndedAt: timeOf(job.Ended)}, nil
}
