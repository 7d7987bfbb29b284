package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"
	"flotilla/queue/rest/resttest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clientOf returns a client of a cluster's nodes, beginning with the first.
func clientOf(t *testing.T, c *resttest.Cluster) *rest.Client {
	client := &rest.Client{Addresses: c.Addresses()}
	t.Cleanup(client.Close)
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func seconds(n int64) *int64 { return &n }

func create(t *testing.T, c *rest.Client, name string, attributes ...string) {
	t.Helper()
	all := map[string]string{}
	for i := 0; i < len(attributes); i += 2 {
		all[attributes[i]] = attributes[i+1]
	}
	must(t, c.Create(t.Context(), name, rest.CreateQueue{Attributes: all}))
}

func sendOne(t *testing.T, c *rest.Client, name string, m rest.Message) string {
	t.Helper()
	results, err := c.Send(t.Context(), name, m)
	if err != nil || len(results) != 1 || results[0].Problem != nil {
		t.Fatalf("send: %+v, %v", results, err)
	}
	return results[0].ID
}

func receiveOne(t *testing.T, c *rest.Client, name string) rest.Delivery {
	t.Helper()
	all, err := c.Receive(t.Context(), name, rest.Receive{LeaseSeconds: seconds(60), WaitSeconds: seconds(10)})
	if err != nil || len(all) != 1 {
		t.Fatalf("receive: %+v, %v", all, err)
	}
	return all[0]
}

// TestTheLifeOfAJob follows one from being sent by one node to its result being read at
// another, on a real cluster.
func TestTheLifeOfAJob(t *testing.T) {
	nodes := resttest.Start(t, 3, 2)
	client := clientOf(t, nodes)
	other := &rest.Client{Addresses: nodes.Addresses()[1:]}
	t.Cleanup(other.Close)
	create(t, client, "mail", "ResultRetentionPeriod", "3600")
	create(t, client, "mail", "ResultRetentionPeriod", "3600") // as it is there

	sent := rest.Message{Body: "héllo\n\u2028", Priority: 3, Group: "g", Attributes: map[string]rest.Attribute{
		"kind": {Value: rest.Blob("welcome")}, "bytes": {Type: "Binary.png", Value: rest.Blob{0xff, 0}}, "n": {Type: "Number", Value: rest.Blob("-1.5e3")}}}
	id := sendOne(t, client, "mail", sent)
	job, err := other.Job(t.Context(), "mail", id, 0)
	if err != nil || job.Status != "ready" || job.HasEnded() {
		t.Errorf("before it was received: %+v, %v", job, err)
	}
	peeked, err := other.Peek(t.Context(), "mail", 0, 0)
	if err != nil || len(peeked) != 1 || peeked[0].Body != sent.Body || peeked[0].State != "ready" {
		t.Errorf("peek: %+v, %v", peeked, err)
	}
	got := receiveOne(t, other, "mail")
	if got.ID != id || got.Body != sent.Body || got.Priority != 3 || got.Group != "g" || got.Receives != 1 || got.Token == 0 || len(got.Attributes) != 3 ||
		got.Attributes["kind"].Type != "String" || string(got.Attributes["bytes"].Value) != "\xff\x00" || got.Attributes["bytes"].Type != "Binary.png" {
		t.Errorf("received %+v", got)
	}
	if left := time.Until(got.LeaseEndsAt); left < 50*time.Second || left > 61*time.Second {
		t.Errorf("the lease lasts %v", left)
	}
	must(t, other.Progress(t.Context(), "mail", got.Receipt, []byte("half")))
	ended := make(chan rest.Job, 1)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		job, err := client.Job(t.Context(), "mail", id, time.Minute)
		if err != nil {
			t.Error(err)
		}
		ended <- job
	})
	results, err := other.Finish(t.Context(), "mail", rest.Finished{Receipt: got.Receipt, Result: rest.Blob("\xff done")})
	if err != nil || results[0].Problem != nil {
		t.Fatalf("finish: %+v, %v", results, err)
	}
	waiting.Wait()
	if job := <-ended; job.Status != rest.Succeeded || string(job.Progress) != "half" || string(job.Result) != "\xff done" || !job.HasEnded() {
		t.Errorf("the job is %+v", job)
	}
	about, err := client.Queue(t.Context(), "mail")
	if err != nil || about.Counters.SentTotal != 1 || about.Counters.DeletedTotal != 1 || about.Attributes["ResultRetentionPeriod"] != "3600" || !about.OldestSentAt.IsZero() {
		t.Errorf("the queue is %+v, %v", about, err)
	}
}

// TestWhoWaitsForAJobIsWokenByItsEnd has nobody look meanwhile: the answer comes within
// less than the time between two looks.
func TestWhoWaitsForAJobIsWokenByItsEnd(t *testing.T) {
	nodes := resttest.Start(t, 1, 1)
	client := clientOf(t, nodes)
	create(t, client, "q", "ResultRetentionPeriod", "60")
	var quick int
	for range 5 {
		id := sendOne(t, client, "q", rest.Message{Body: "x"})
		lease := receiveOne(t, client, "q")
		asked := make(chan struct{})
		answered := make(chan time.Time, 1)
		go func() {
			close(asked)
			if job, err := client.Job(context.Background(), "q", id, 20*time.Second); err != nil || !job.HasEnded() {
				t.Errorf("%+v, %v", job, err)
			}
			answered <- time.Now()
		}()
		<-asked
		<-time.After(50 * time.Millisecond) // until it waits, most likely
		finished := time.Now()
		_, err := client.Finish(t.Context(), "q", rest.Finished{Receipt: lease.Receipt})
		must(t, err)
		if (<-answered).Sub(finished) < 500*time.Millisecond {
			quick++
		}
	}
	if quick < 4 {
		t.Errorf("%d of 5 were told at once", quick)
	}
}

// TestLeasesThatWereLostAreTold has two workers hold the same message one after the other.
func TestLeasesThatWereLostAreTold(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 1))
	create(t, client, "q")
	sendOne(t, client, "q", rest.Message{Body: "x"})
	first := receiveOne(t, client, "q")
	released, err := client.Release(t.Context(), "q", rest.Release{Receipts: []string{first.Receipt}})
	if err != nil || released[0].Problem != nil {
		t.Fatalf("%+v, %v", released, err)
	}
	second := receiveOne(t, client, "q")
	if second.Token <= first.Token || second.Receives != 2 {
		t.Errorf("the second lease is %+v, the first was %+v", second, first)
	}
	expect := func(why, code string, results []rest.SettleResult, err error) {
		t.Helper()
		if err != nil || len(results) != 1 || (results[0].Problem == nil) != (code == "") || code != "" && results[0].Problem.Code != code {
			t.Errorf("%s: %+v, %v", why, results, err)
		}
	}
	results, err := client.Finish(t.Context(), "q", rest.Finished{Receipt: first.Receipt})
	expect("finish of the first", queue.CodeLeaseSuperseded, results, err)
	results, err = client.Extend(t.Context(), "q", rest.Extended{Receipt: first.Receipt, LeaseSeconds: 9})
	expect("extension of the first", queue.CodeLeaseSuperseded, results, err)
	results, err = client.Extend(t.Context(), "q", rest.Extended{Receipt: second.Receipt, LeaseSeconds: 9})
	expect("extension of the second", "", results, err)
	results, err = client.Finish(t.Context(), "q", rest.Finished{Receipt: second.Receipt, IsFailure: true})
	expect("finish of the second", "", results, err)
	results, err = client.Finish(t.Context(), "q", rest.Finished{Receipt: second.Receipt})
	expect("finish once more", queue.CodeMessageGone, results, err)
	results, err = client.Finish(t.Context(), "q", rest.Finished{Receipt: "nonsense"})
	expect("a receipt that is none", queue.CodeReceiptHandleIsInvalid, results, err)
}

// TestAReleaseMayHaveADelay gives a message back, to come again later, where only one may be
// leased at a time.
func TestAReleaseMayHaveADelay(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 1))
	create(t, client, "q", "MaxInFlight", "1")
	poison := sendOne(t, client, "q", rest.Message{Body: "poison"})
	sendOne(t, client, "q", rest.Message{Body: "good"})
	first := receiveOne(t, client, "q")
	released, err := client.Release(t.Context(), "q", rest.Release{Receipts: []string{first.Receipt}, DelaySeconds: 2})
	if err != nil || len(released) != 1 || released[0].Problem != nil {
		t.Fatalf("%+v, %v", released, err)
	}
	job, err := client.Job(t.Context(), "q", poison, 0)
	about, _ := client.Queue(t.Context(), "q")
	if err != nil || first.ID != poison || job.Status != "retry" || about.Counters.Leased != 0 {
		t.Errorf("%+v, %v; %+v", job, err, about.Counters)
	}
	good := receiveOne(t, client, "q")
	_, err = client.Finish(t.Context(), "q", rest.Finished{Receipt: good.Receipt})
	must(t, err)
	again := receiveOne(t, client, "q")
	if good.Body != "good" || again.ID != poison || again.Receives != 2 || again.Token <= first.Token {
		t.Errorf("after %+v came %+v", good, again)
	}
	about, err = client.Queue(t.Context(), "q")
	if err != nil || about.Counters.LeasesEnded != 0 {
		t.Errorf("%+v, %v", about.Counters, err)
	}
}

// TestOneBadMessageDoesNotKeepTheOthers sends good and bad ones together.
func TestOneBadMessageDoesNotKeepTheOthers(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 1))
	create(t, client, "q")
	attribute := func(name, kind, value string) rest.Message {
		return rest.Message{Body: "x", Attributes: map[string]rest.Attribute{name: {Type: kind, Value: rest.Blob(value)}}}
	}
	results, err := client.Send(t.Context(), "q", rest.Message{Body: "first"}, attribute("AWS.x", "", "v"), rest.Message{Body: "a\x01b"},
		attribute("x", "Number", "12x"), attribute("x", "Text", "v"), attribute("x", "String", "\xff"), rest.Message{Body: "x", Priority: 10},
		attribute("x y", "", "v"), attribute("n", "Number", "0x10"), rest.Message{Body: "last"})
	must(t, err)
	var codes []string
	for _, r := range results {
		if r.Problem != nil {
			codes = append(codes, r.Problem.Code)
		} else {
			codes = append(codes, "")
		}
	}
	const bad = queue.CodeInvalidParameterValue
	if !slices.Equal(codes, []string{"", bad, queue.CodeInvalidMessageContents, bad, bad, queue.CodeInvalidMessageContents, bad, bad, bad, ""}) {
		t.Errorf("%q", codes)
	}
	about, _ := client.Queue(t.Context(), "q")
	if about.Counters.Ready != 2 {
		t.Errorf("%d messages are there", about.Counters.Ready)
	}
	if _, err := client.Send(t.Context(), "q"); rest.CodeOf(err) != queue.CodeEmptyBatchRequest {
		t.Errorf("an empty batch: %v", err)
	}
	if _, err := client.Send(t.Context(), "q", rest.Message{Body: "\xff"}); rest.CodeOf(err) != queue.CodeInvalidMessageContents {
		t.Errorf("a body that is no text: %v", err)
	}
}

// TestQueuesAreManaged goes through what is not about single messages.
func TestQueuesAreManaged(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 3))
	ctx := t.Context()
	for _, name := range []string{"a", "b", "b-dead", "c.fifo"} {
		create(t, client, name)
	}
	page, err := client.Queues(ctx, "", "a", 2)
	if err != nil || !slices.Equal(page.Names, []string{"b", "b-dead"}) || !page.HasMore {
		t.Errorf("%+v, %v", page, err)
	}
	if err := client.Create(ctx, "a", rest.CreateQueue{Attributes: map[string]string{"DelaySeconds": "5"}}); rest.CodeOf(err) != queue.CodeQueueNameExists {
		t.Errorf("another queue of the same name: %v", err)
	}
	must(t, client.SetAttributes(ctx, "b", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"b-dead","maxReceiveCount":1}`}))
	sendOne(t, client, "b", rest.Message{Body: "poison"})
	_, err = client.Release(ctx, "b", rest.Release{Receipts: []string{receiveOne(t, client, "b").Receipt}})
	must(t, err)
	eventually(t, "the message to be dead", func() bool {
		about, err := client.Queue(ctx, "b-dead")
		return err == nil && about.Counters.Ready == 1
	})
	task, err := client.StartMove(ctx, "b-dead", rest.StartMove{PerSecond: 10})
	must(t, err)
	eventually(t, "the message to be back", func() bool {
		about, err := client.Queue(ctx, "b")
		return err == nil && about.Counters.Ready == 1
	})
	eventually(t, "the task to end", func() bool {
		all, err := client.Moves(ctx, "b-dead")
		return err == nil && len(all) == 1 && all[0].Task == task && all[0].Status == "COMPLETED" && all[0].Moved == 1
	})
	if _, err := client.CancelMove(ctx, "b-dead", task); rest.CodeOf(err) != queue.CodeResourceNotFound {
		t.Errorf("a task that ended can not be stopped: %v", err)
	}
	must(t, client.PutRecurring(ctx, "a", "night/ly", rest.Recurring{Cron: "0 3 * * *", Zone: "Europe/Berlin", Message: rest.Message{Body: "x", Priority: 1}}))
	all, err := client.Recurring(ctx, "a")
	if err != nil || len(all) != 1 || all[0].Name != "night/ly" || all[0].Zone != "Europe/Berlin" || all[0].Message.Body != "x" || all[0].NextAt.Before(time.Now()) {
		t.Errorf("%+v, %v", all, err)
	}
	if err := client.PutRecurring(ctx, "a", "n", rest.Recurring{Cron: "whenever", Message: rest.Message{Body: "x"}}); rest.CodeOf(err) != queue.CodeInvalidParameterValue {
		t.Errorf("a wrong cron expression: %v", err)
	}
	must(t, client.DeleteRecurring(ctx, "a", "night/ly"))
	must(t, client.Purge(ctx, "b"))
	if err := client.Purge(ctx, "b"); rest.CodeOf(err) != queue.CodePurgeInProgress {
		t.Errorf("two purges: %v", err)
	}
	must(t, client.Delete(ctx, "b"))
	if _, err := client.Queue(ctx, "b"); rest.CodeOf(err) != queue.CodeQueueDoesNotExist {
		t.Errorf("a queue that was deleted: %v", err)
	}
}

// TestFIFOQueuesKeepOrderAndForgetNothing sends twice what is to be sent once.
func TestFIFOQueuesKeepOrderAndForgetNothing(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 1))
	create(t, client, "q.fifo")
	first := sendOne(t, client, "q.fifo", rest.Message{Body: "1", Group: "g", DeduplicationID: "one"})
	results, err := client.Send(t.Context(), "q.fifo", rest.Message{Body: "1", Group: "g", DeduplicationID: "one"})
	if err != nil || !results[0].IsDuplicate || results[0].ID != first {
		t.Errorf("the second: %+v, %v", results, err)
	}
	got, err := client.Receive(t.Context(), "q.fifo", rest.Receive{Count: 10, WaitSeconds: seconds(0), AttemptID: "a"})
	again, againErr := client.Receive(t.Context(), "q.fifo", rest.Receive{Count: 10, WaitSeconds: seconds(0), AttemptID: "a"})
	if err != nil || againErr != nil || len(got) != 1 || len(again) != 1 || got[0].SequenceNumber == 0 || got[0].Receipt != again[0].Receipt {
		t.Errorf("%+v %v, %+v %v", got, err, again, againErr)
	}
}

// TestAClientGoesOnWithAnotherNode stops the node that it talks to.
func TestAClientGoesOnWithAnotherNode(t *testing.T) {
	nodes := resttest.Start(t, 3, 1)
	client := clientOf(t, nodes)
	create(t, client, "q")
	sendOne(t, client, "q", rest.Message{Body: "before"})
	nodes.Nodes[0].Stop()
	about, err := client.Queue(t.Context(), "q") // a read is tried again, whatever became of it
	if err != nil || about.Counters.Ready != 1 {
		t.Errorf("%+v, %v", about, err)
	}
	sendOne(t, client, "q", rest.Message{Body: "after"})
	about, err = client.Queue(t.Context(), "q")
	if err != nil || about.Counters.Ready != 2 {
		t.Errorf("%+v, %v", about, err)
	}
	nodes.Nodes[1].Stop() // no majority any more
	client.Patience = 300 * time.Millisecond
	_, err = client.Send(t.Context(), "q", rest.Message{Body: "too late"})
	if code := rest.CodeOf(err); code != rest.CodeNoQuorum && code != rest.CodeOutcomeUnknown && code != rest.CodeUnreachable { // as a connection ends
		t.Errorf("without a majority: %v", err)
	}
}

// TestWhoHasGoneIsGivenNothing hangs up while waiting, and looks whether the message is
// there for others at once.
func TestWhoHasGoneIsGivenNothing(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 1))
	create(t, client, "q")
	for range 20 {
		ctx, hangUp := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			got, err := client.Receive(ctx, "q", rest.Receive{LeaseSeconds: seconds(600), WaitSeconds: seconds(20)})
			if len(got) > 0 || err == nil {
				t.Errorf("%v, %v", got, err)
			}
		})
		<-time.After(10 * time.Millisecond)
		hangUp()
		waiting.Wait()
		sendOne(t, client, "q", rest.Message{Body: "x"})
		lease := receiveOne(t, client, "q")
		_, err := client.Finish(t.Context(), "q", rest.Finished{Receipt: lease.Receipt})
		must(t, err)
	}
}

// TestLongPollsEndWithTheirNode stops a node on which somebody waits.
func TestLongPollsEndWithTheirNode(t *testing.T) {
	nodes := resttest.Start(t, 3, 1)
	client := clientOf(t, nodes)
	create(t, client, "q")
	got := make(chan string, 1)
	go func() {
		all, err := client.Receive(t.Context(), "q", rest.Receive{WaitSeconds: seconds(20)})
		got <- fmt.Sprint(len(all), err)
	}()
	<-time.After(50 * time.Millisecond)
	nodes.Nodes[0].Stop()
	other := &rest.Client{Addresses: nodes.Addresses()[1:]}
	defer other.Close()
	sendOne(t, other, "q", rest.Message{Body: "x"})
	select {
	case text := <-got:
		if text != "1 <nil>" {
			t.Errorf("%s", text)
		}
	case <-time.After(15 * time.Second):
		t.Error("it waits for ever")
	}
}

// TestLargeMessagesPass sends the largest message that there may be.
func TestLargeMessagesPass(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 1))
	create(t, client, "q")
	body := strings.Repeat("<", queue.MaxMessageBytes) // "\u003c" in JSON
	sendOne(t, client, "q", rest.Message{Body: body})
	if got := receiveOne(t, client, "q"); got.Body != body {
		t.Errorf("%d bytes came back", len(got.Body))
	}
	results, err := client.Send(t.Context(), "q", rest.Message{Body: body + "<"})
	if err != nil || results[0].Problem == nil {
		t.Errorf("one byte more: %+v, %v", results, err)
	}
	tooMuch := []rest.Message{{Body: body}, {Body: body}}
	if _, err := client.Send(t.Context(), "q", tooMuch...); rest.CodeOf(err) != rest.CodeTooLarge {
		t.Errorf("a request of 12 MiB: %v", err)
	}
}

func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !isSo(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestAStrangerIsNoNode asks something else.
func TestAStrangerIsNoNode(t *testing.T) {
	nodes := resttest.Start(t, 1, 1)
	nodes.Nodes[0].HTTP.Config.Handler = http.NotFoundHandler()
	client := clientOf(t, nodes)
	if _, err := client.Queues(t.Context(), "", "", 0); rest.CodeOf(err) != rest.CodeStrange {
		t.Errorf("%v", err)
	}
}

// TestASpreadQueueIsAsAnyOther goes through a job of a queue with partitions.
func TestASpreadQueueIsAsAnyOther(t *testing.T) {
	client := clientOf(t, resttest.Start(t, 1, 3))
	create(t, client, "wide", "Partitions", "3", "ResultRetentionPeriod", "60")
	for range 6 {
		id := sendOne(t, client, "wide", rest.Message{Body: "x"})
		if job, err := client.Job(t.Context(), "wide", id, 0); err != nil || job.Status != "ready" {
			t.Errorf("%+v, %v", job, err)
		}
		got := receiveOne(t, client, "wide")
		must(t, client.Progress(t.Context(), "wide", got.Receipt, []byte("half")))
		results, err := client.Finish(t.Context(), "wide", rest.Finished{Receipt: got.Receipt, Result: rest.Blob("r")})
		if err != nil || results[0].Problem != nil {
			t.Errorf("%+v, %v", results, err)
		}
		if job, err := client.Job(t.Context(), "wide", id, 5*time.Second); err != nil || job.Status != rest.Succeeded || string(job.Progress) != "half" {
			t.Errorf("%+v, %v", job, err)
		}
	}
	about, err := client.Queue(t.Context(), "wide")
	if err != nil || about.Counters.DeletedTotal != 6 {
		t.Errorf("%+v, %v", about.Counters, err)
	}
}
