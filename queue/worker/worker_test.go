package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"
	"flotilla/queue/rest/resttest"
	"flotilla/queue/worker"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// begin starts a worker. The returned function stops it and says what Run returned.
func begin(t *testing.T, w *worker.Worker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
}

// lab is a cluster with one queue.
func lab(t *testing.T, nodes int, name string, attributes map[string]string) (*resttest.Cluster, *rest.Client) {
	t.Helper()
	c := resttest.Start(t, nodes, 1)
	client := &rest.Client{Addresses: c.Addresses()}
	t.Cleanup(client.Close)
	if err := client.Create(t.Context(), name, rest.CreateQueue{Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
	return c, client
}

func send(t *testing.T, c *rest.Client, name string, messages ...rest.Message) (ids []string) {
	t.Helper()
	for _, m := range messages {
		results, err := c.Send(t.Context(), name, m)
		if err != nil || results[0].Problem != nil {
			t.Fatalf("send: %+v, %v", results, err)
		}
		ids = append(ids, results[0].ID)
	}
	return ids
}

func outcome(t *testing.T, c *rest.Client, name, id string) string {
	t.Helper()
	job, err := c.Job(t.Context(), name, id, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return job.Status + " " + string(job.Result)
}

// TestJobsEndAsTheirHandlersSay has handlers succeed, fail for good, fail once, and panic once.
func TestJobsEndAsTheirHandlersSay(t *testing.T) {
	_, client := lab(t, 1, "q", map[string]string{"ResultRetentionPeriod": "60", "RetryBackoff": "fixed", "RetryBackoffSeconds": "0"})
	var tries atomic.Int64
	w := &worker.Worker{Client: client, Queue: "q", Concurrency: 4, Handle: func(ctx context.Context, job *worker.Job) ([]byte, error) {
		if err := job.Progress(ctx, []byte("begun")); err != nil {
			t.Error(err)
		}
		switch {
		case job.Body == "bad":
			return nil, worker.Fail(errors.New("never will it work"))
		case job.Body == "large":
			return make([]byte, queue.MaxResultBytes+1), nil
		case job.Body == "later" && job.Receives == 1:
			tries.Add(1)
			return nil, errors.New("not yet")
		case job.Body == "panic" && job.Receives == 1:
			panic("oh")
		}
		return []byte("done " + job.Body), nil
	}}
	ids := send(t, client, "q", rest.Message{Body: "good"}, rest.Message{Body: "bad"}, rest.Message{Body: "later"}, rest.Message{Body: "panic"})
	stop := begin(t, w)
	for i, want := range []string{"succeeded done good", "failed never will it work", "succeeded done later", "succeeded done panic"} {
		if got := outcome(t, client, "q", ids[i]); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if tries.Load() != 1 {
		t.Errorf("%d tries that failed", tries.Load())
	}
}

// TestLeasesAreKeptWhileJobsRun has one run for more than twice its lease, and another
// worker look for something to do.
func TestLeasesAreKeptWhileJobsRun(t *testing.T) {
	_, client := lab(t, 1, "q", map[string]string{"ResultRetentionPeriod": "60"})
	var runs atomic.Int64
	handle := func(ctx context.Context, job *worker.Job) ([]byte, error) {
		runs.Add(1)
		select {
		case <-time.After(7 * time.Second):
		case <-ctx.Done():
			t.Error(context.Cause(ctx))
		}
		return []byte(fmt.Sprint(job.Receives)), nil
	}
	id := send(t, client, "q", rest.Message{Body: "x"})[0]
	first := begin(t, &worker.Worker{Client: client, Queue: "q", Lease: 3 * time.Second, Handle: handle})
	second := begin(t, &worker.Worker{Client: client, Queue: "q", Lease: 3 * time.Second, Handle: handle})
	if got := outcome(t, client, "q", id); got != "succeeded 1" || runs.Load() != 1 {
		t.Errorf("%s, after %d runs", got, runs.Load())
	}
	if err := errors.Join(first(), second()); err != nil {
		t.Error(err)
	}
}

// TestAHandlerIsToldThatItsLeaseIsLost purges the queue under it.
func TestAHandlerIsToldThatItsLeaseIsLost(t *testing.T) {
	_, client := lab(t, 1, "q", nil)
	causes, begun := make(chan error, 1), make(chan struct{})
	stop := begin(t, &worker.Worker{Client: client, Queue: "q", Lease: 3 * time.Second, Handle: func(ctx context.Context, _ *worker.Job) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, nil
	}})
	send(t, client, "q", rest.Message{Body: "x"})
	<-begun
	if err := client.Purge(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	if cause := <-causes; !errors.Is(cause, worker.ErrLeaseLost) {
		t.Errorf("%v", cause)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestAStoppingWorkerFinishesWhatRuns stops one while a job runs, that ends in time, and
// one whose job does not.
func TestAStoppingWorkerFinishesWhatRuns(t *testing.T) {
	_, client := lab(t, 1, "q", map[string]string{"ResultRetentionPeriod": "60"})
	begun, release := make(chan struct{}, 1), make(chan struct{})
	w := &worker.Worker{Client: client, Queue: "q", Grace: 10 * time.Second, Handle: func(ctx context.Context, _ *worker.Job) ([]byte, error) {
		begun <- struct{}{}
		select {
		case <-release:
			return []byte("in time"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	id := send(t, client, "q", rest.Message{Body: "x"})[0]
	stop := begin(t, w)
	<-begun
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := outcome(t, client, "q", id); got != "succeeded in time" {
		t.Errorf("%s", got)
	}
	w.Grace, release = -1, nil
	send(t, client, "q", rest.Message{Body: "y"})
	stop = begin(t, w)
	<-begun
	if err := stop(); err != nil {
		t.Error(err)
	}
	about, err := client.Queue(t.Context(), "q")
	if err != nil || about.Counters.Ready != 1 || about.Counters.Leased != 0 {
		t.Errorf("what did not end in time was not given back at once: %+v, %v", about.Counters, err)
	}
}

// TestGroupsOfFIFOQueuesStayInOrder has each first try of a job fail, with much concurrency.
func TestGroupsOfFIFOQueuesStayInOrder(t *testing.T) {
	_, client := lab(t, 1, "q.fifo", map[string]string{"RetryBackoff": "fixed", "RetryBackoffSeconds": "0"})
	for i := range 40 {
		send(t, client, "q.fifo", rest.Message{Body: fmt.Sprint(i / 4), Group: fmt.Sprint(i % 4), DeduplicationID: fmt.Sprint(i)})
	}
	var mu sync.Mutex
	done := map[string][]string{}
	running := map[string]int{}
	left := make(chan struct{}, 40)
	stop := begin(t, &worker.Worker{Client: client, Queue: "q.fifo", Concurrency: 16, Handle: func(_ context.Context, job *worker.Job) ([]byte, error) {
		mu.Lock()
		running[job.Group]++
		if running[job.Group] > 1 {
			t.Errorf("two jobs of group %s run at a time", job.Group)
		}
		mu.Unlock()
		<-time.After(time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		running[job.Group]--
		if job.Receives == 1 && job.Body == "3" {
			return nil, errors.New("not at once")
		}
		done[job.Group] = append(done[job.Group], job.Body)
		left <- struct{}{}
		return nil, nil
	}})
	for range 40 {
		select {
		case <-left:
		case <-time.After(20 * time.Second):
			t.Fatal("not all jobs are done")
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for group, bodies := range done {
		if !slices.Equal(bodies, strings.Split("0123456789", "")) {
			t.Errorf("group %s: %v", group, bodies)
		}
	}
}

// TestAFailedJobHoldsNoPlaceWhileItWaits has one fail on a queue that allows one lease at a
// time: the next one is run at once, and the first comes back after its backoff.
func TestAFailedJobHoldsNoPlaceWhileItWaits(t *testing.T) {
	_, client := lab(t, 1, "q", map[string]string{"MaxInFlight": "1", "ResultRetentionPeriod": "60"})
	ids := send(t, client, "q", rest.Message{Body: "poison"}, rest.Message{Body: "good"})
	backoff := time.Hour
	w := &worker.Worker{Client: client, Queue: "q", Backoff: func(uint64) time.Duration { return backoff }, Handle: func(_ context.Context, job *worker.Job) ([]byte, error) {
		if job.Body == "poison" && job.Receives < 3 {
			return nil, errors.New("not yet")
		}
		return []byte(fmt.Sprint(job.Receives)), nil
	}}
	stop := begin(t, w)
	if got := outcome(t, client, "q", ids[1]); got != "succeeded 1" {
		t.Errorf("the job behind it: %s", got)
	}
	job, err := client.Job(t.Context(), "q", ids[0], 0)
	about, _ := client.Queue(t.Context(), "q")
	if err != nil || job.Status != "retry" || about.Counters.Leased != 0 {
		t.Errorf("the job that failed: %+v, %v; %+v", job, err, about.Counters)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	// Another queue: what the worker was last waiting for might be given to it although it has gone.
	if err := client.Create(t.Context(), "next", rest.CreateQueue{Attributes: map[string]string{"MaxInFlight": "1", "ResultRetentionPeriod": "60"}}); err != nil {
		t.Fatal(err)
	}
	backoff, w.Queue = time.Second, "next"
	ids = send(t, client, "next", rest.Message{Body: "poison"})
	stop = begin(t, w)
	if got := outcome(t, client, "next", ids[0]); got != "succeeded 3" {
		t.Errorf("with a short backoff: %s", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if about, err = client.Queue(t.Context(), "next"); err != nil || about.Counters.LeasesEnded != 0 {
		t.Errorf("%+v, %v", about.Counters, err)
	}
}

// TestFIFOQueuesGiveNothingThatIsNotRun has the first job of a group fail, on a queue where one
// failure is death: each of the others is run, at its first receive.
func TestFIFOQueuesGiveNothingThatIsNotRun(t *testing.T) {
	_, client := lab(t, 1, "dead.fifo", nil)
	policy := map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"dead.fifo","maxReceiveCount":1}`}
	if err := client.Create(t.Context(), "q.fifo", rest.CreateQueue{Attributes: policy}); err != nil {
		t.Fatal(err)
	}
	send(t, client, "q.fifo", rest.Message{Body: "m1", Group: "g", DeduplicationID: "1"}, rest.Message{Body: "m2", Group: "g", DeduplicationID: "2"},
		rest.Message{Body: "m3", Group: "g", DeduplicationID: "3"})
	runs := make(chan string, 10)
	stop := begin(t, &worker.Worker{Client: client, Queue: "q.fifo", Concurrency: 3, Handle: func(_ context.Context, job *worker.Job) ([]byte, error) {
		runs <- fmt.Sprint(job.Body, " ", job.Receives)
		if job.Body == "m1" {
			return nil, errors.New("poison")
		}
		return nil, nil
	}})
	for _, want := range []string{"m1 1", "m2 1", "m3 1"} {
		select {
		case got := <-runs:
			if got != want {
				t.Errorf("%q was run instead of %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q is not run", want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	about, err := client.Queue(t.Context(), "dead.fifo")
	if err != nil || about.Counters.Ready != 1 {
		t.Errorf("not only the first one died: %+v, %v", about.Counters, err)
	}
}

// TestWorkGoesOnWithoutANode stops nodes under a worker, one after the other.
func TestWorkGoesOnWithoutANode(t *testing.T) {
	nodes, client := lab(t, 3, "q", nil)
	var mu sync.Mutex
	done := map[string]int{}
	stop := begin(t, &worker.Worker{Client: client, Queue: "q", Concurrency: 4, Lease: 5 * time.Second, Handle: func(_ context.Context, job *worker.Job) ([]byte, error) {
		<-time.After(20 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		done[job.Body]++
		return nil, nil
	}})
	producer := &rest.Client{Addresses: nodes.Addresses()[1:]}
	defer producer.Close()
	const jobs = 100
	for i := range jobs {
		if i == jobs/2 {
			nodes.Nodes[0].Stop()
		}
		for {
			_, err := producer.Send(t.Context(), "q", rest.Message{Body: fmt.Sprint(i)})
			if err == nil {
				break
			}
			var p *rest.Problem
			if !errors.As(err, &p) || !p.MayHaveHappened {
				t.Fatal(err)
			}
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		mu.Lock()
		n := len(done)
		mu.Unlock()
		if n == jobs {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d jobs are done", n, jobs)
		}
		<-time.After(20 * time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestRunSaysWhatIsWrong asks for what can not be.
func TestRunSaysWhatIsWrong(t *testing.T) {
	_, client := lab(t, 1, "q", nil)
	handle := func(context.Context, *worker.Job) ([]byte, error) { return nil, nil }
	for want, w := range map[string]*worker.Worker{
		"QueueDoesNotExist":     {Client: client, Queue: "none", Handle: handle},
		"whole seconds from 3s": {Client: client, Queue: "q", Handle: handle, Lease: time.Second},
		"10000 at most":         {Client: client, Queue: "q", Handle: handle, Concurrency: 20000},
	} {
		if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	ended := begin(t, &worker.Worker{Client: client, Queue: "q", Handle: handle})
	if err := client.Delete(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	_ = ended() // it ends by itself, or because it was told to: either way, soon
}
