package queue

import (
	"strings"
	"testing"
)

func (l *lab) job(name, id string) (Job, string) {
	return ask[Job](l, &DescribeJob{QueueName: name, MessageID: id})
}

// TestJobsTellWhatCameOfThem follows jobs by their ids, from being scheduled to being forgotten.
func TestJobsTellWhatCameOfThem(t *testing.T) {
	l := newLab()
	l.create(t, "q", "ResultRetentionPeriod", "60")
	sent := l.send("q", "x", func(s *SendEntry) { s.ScheduledAt = l.time + 5000 })
	progress := func(handle, text string) string {
		_, code := do[Done](l, &ReportProgress{"q", handle, []byte(text)})
		return code
	}
	expect := func(status, shown, result string) {
		t.Helper()
		job, code := l.job("q", sent.MessageID)
		if code != "" || job.Status != status || string(job.Progress) != shown || string(job.Result) != result {
			t.Errorf("the job is %+v, %q; not %s", job, code, status)
		}
	}
	expect("delayed", "", "")
	l.pass(5000)
	expect("ready", "", "")
	handle := l.receive("q", 1)[0].ReceiptHandle
	if code := progress(handle, "half"); code != "" {
		t.Error(code)
	}
	expect("leased", "half", "")
	if code := progress(handle, strings.Repeat("x", MaxProgressBytes+1)); code != CodeInvalidParameterValue {
		t.Errorf("too much progress: %q", code)
	}
	settle := func(d DeleteEntry) string {
		reply, _ := do[Settled](l, &DeleteMessageBatch{QueueName: "q", Entries: []DeleteEntry{d}})
		return reply.Errors[0].Code
	}
	if code := settle(DeleteEntry{ReceiptHandle: handle, Result: make([]byte, MaxResultBytes+1)}); code != CodeInvalidParameterValue {
		t.Errorf("too large a result: %q", code)
	}
	if code := settle(DeleteEntry{ReceiptHandle: handle, IsFailure: true, Result: []byte("no luck")}); code != "" {
		t.Error(code)
	}
	expect(JobFailed, "half", "no luck")
	if code := progress(handle, "more"); code != CodeMessageGone {
		t.Errorf("progress after the end: %q", code)
	}
	l.pass(59_999)
	expect(JobFailed, "half", "no luck")
	l.pass(1)
	for _, id := range []string{sent.MessageID, "nonsense", ""} {
		if _, code := l.job("q", id); code != CodeResourceNotFound {
			t.Errorf("job %q: %q", id, code)
		}
	}
	l.create(t, "plain")
	other := l.send("plain", "x")
	if job, code := l.job("plain", other.MessageID); code != "" || job.Status != "ready" {
		t.Errorf("a job of a queue that keeps no results: %+v, %q", job, code)
	}
	if _, code := do[Done](l, &ReportProgress{"plain", l.receive("plain", 1)[0].ReceiptHandle, []byte("x")}); code != CodeUnsupportedOperation {
		t.Errorf("progress where no results are kept: %q", code)
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestJobsAreFoundWhereNoResultsAreKept asks for messages that have another id than their number
// says, until they go: nothing is left of them then.
func TestJobsAreFoundWhereNoResultsAreKept(t *testing.T) {
	l := newLab()
	l.create(t, "dead")
	l.create(t, "q", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`)
	expect := func(name, id, status string) {
		t.Helper()
		if job, code := l.job(name, id); job.Status != status || (code == "") != (status != "") {
			t.Errorf("the job in %s is %+v, %q; not %q", name, job, code, status)
		}
	}
	sent := l.send("q", "x", func(s *SendEntry) { s.ScheduledAt = l.time + 5000 }).MessageID
	expect("q", sent, "delayed")
	l.pass(5000)
	expect("q", sent, "ready")
	handle := l.receive("q", 1)[0].ReceiptHandle
	expect("q", sent, "leased")
	l.change("q", handle, 0)
	expect("q", sent, "")
	expect("dead", sent, "ready")
	l.delete("dead", l.receive("dead", 1)[0].ReceiptHandle)
	expect("dead", sent, "")
	l.pass(1000)
	l.state.live(func(key string, _ []byte) {
		if strings.HasPrefix(key, "qd") && (key[10] == spaceJob || key[10] == spaceEnded) {
			t.Errorf("left: %q", key)
		}
	})
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestEachResultIsKeptItsTime ends two jobs one after the other.
func TestEachResultIsKeptItsTime(t *testing.T) {
	l := newLab()
	l.create(t, "q", "ResultRetentionPeriod", "60")
	var ids []string
	for range 2 {
		ids = append(ids, l.send("q", "x").MessageID)
		l.delete("q", l.receive("q", 1)[0].ReceiptHandle)
		l.pass(3000)
	}
	l.pass(54_500)
	_, first := l.job("q", ids[0])
	second, _ := l.job("q", ids[1])
	if first != CodeResourceNotFound || second.Status != JobSucceeded {
		t.Errorf("after 60.5 s and 57.5 s: %q, %q", first, second.Status)
	}
}

// TestResultsAreForgottenWhenTheyAreTurnedOff leaves no record behind.
func TestResultsAreForgottenWhenTheyAreTurnedOff(t *testing.T) {
	l := newLab()
	l.create(t, "q", "ResultRetentionPeriod", "60")
	l.send("q", "x")
	l.send("q", "y")
	messages := l.receive("q", 2)
	do[Done](l, &ReportProgress{"q", messages[0].ReceiptHandle, []byte("half")})
	l.delete("q", messages[1].ReceiptHandle)
	l.set(t, "q", "ResultRetentionPeriod", "0")
	l.delete("q", messages[0].ReceiptHandle)
	l.pass(1000)
	l.state.live(func(key string, _ []byte) {
		if strings.HasPrefix(key, "qd") && (key[10] == spaceJob || key[10] == spaceEnded) {
			t.Errorf("left: %q", key)
		}
	})
}

// TestAJobThatComesBackKeepsItsLaterResult lets a message die into a queue that is
// gone; it comes back, and is done after all.
func TestAJobThatComesBackKeepsItsLaterResult(t *testing.T) {
	l := newLab()
	do[Done](l, &CreateQueue{QueueName: "q", Secret: make([]byte, 32), IsDeadTargetElsewhere: true, Attributes: []Pair{
		{"RedrivePolicy", `{"deadLetterTargetArn":"gone","maxReceiveCount":1}`}, {"ResultRetentionPeriod", "60"}}})
	id := l.send("q", "x").MessageID
	l.change("q", l.receive("q", 1)[0].ReceiptHandle, 0)
	if job, _ := l.job("q", id); job.Status != JobDead {
		t.Errorf("when it died: %q", job.Status)
	}
	l.pass(10_000)
	do[Done](l, &SettleOutbox{"gone", 1, true})
	if job, _ := l.job("q", id); job.Status != "ready" {
		t.Errorf("when it came back: %q", job.Status)
	}
	l.delete("q", l.receive("q", 1)[0].ReceiptHandle)
	l.pass(55_000)
	if job, _ := l.job("q", id); job.Status != JobSucceeded {
		t.Errorf("65 s after it died, 55 s after it was done: %q", job.Status)
	}
}
