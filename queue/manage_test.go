package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flotilla"
)

func createCode(l *lab, name string, attributes ...string) string {
	c := &CreateQueue{QueueName: name, Secret: make([]byte, 32)}
	for i := 0; i < len(attributes); i += 2 {
		c.Attributes = append(c.Attributes, Pair{attributes[i], attributes[i+1]})
	}
	_, code := do[Done](l, c)
	return code
}

func TestCreateQueueChecksWhatItIsGiven(t *testing.T) {
	l := newLab()
	l.create(t, "dead")
	l.create(t, "closed", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
	l.create(t, "by", "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:x:0:friend"]}`)
	l.create(t, "there", "DelaySeconds", "5")
	policy := func(target string, receives string) string {
		return fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:%s","maxReceiveCount":%s}`, target, receives)
	}
	for _, c := range []struct{ name, attribute, value, code string }{
		{strings.Repeat("n", MaxNameBytes), "DelaySeconds", "900", ""},
		{strings.Repeat("n", MaxNameBytes+1), "DelaySeconds", "0", CodeInvalidParameterValue},
		{"", "DelaySeconds", "0", CodeInvalidParameterValue},
		{"a.b", "DelaySeconds", "0", CodeInvalidParameterValue},
		{"a b", "DelaySeconds", "0", CodeInvalidParameterValue},
		{"x.fifo", "DelaySeconds", "0", CodeInvalidParameterValue},
		{"x", "FifoQueue", "true", CodeInvalidParameterValue},
		{"y.fifo", "FifoQueue", "true", ""},
		{"x", "DelaySeconds", "901", CodeInvalidAttributeValue},
		{"x", "DelaySeconds", "-1", CodeInvalidAttributeValue},
		{"x", "VisibilityTimeout", "43201", CodeInvalidAttributeValue},
		{"x", "MessageRetentionPeriod", "59", CodeInvalidAttributeValue},
		{"x", "MaximumMessageSize", "1048577", CodeInvalidAttributeValue},
		{"x", "ReceiveMessageWaitTimeSeconds", "21", CodeInvalidAttributeValue},
		{"x", "Nonsense", "1", CodeInvalidAttributeName},
		{"x", "ContentBasedDeduplication", "true", CodeInvalidAttributeName},
		{"x", "Fencing", "loose", CodeInvalidAttributeValue},
		{"x", "Policy", strings.Repeat("p", MaxPolicyBytes+1), CodeInvalidAttributeValue},
		{"x", "RedrivePolicy", policy("dead", "1001"), CodeInvalidParameterValue},
		{"x", "RedrivePolicy", policy("dead", "0"), CodeInvalidParameterValue},
		{"x", "RedrivePolicy", "{", CodeInvalidParameterValue},
		{"x", "RedrivePolicy", policy("nowhere", "3"), CodeInvalidParameterValue},
		{"x", "RedrivePolicy", policy("x", "3"), CodeInvalidParameterValue},
		{"x", "RedrivePolicy", policy("closed", "3"), CodeInvalidParameterValue},
		{"x", "RedrivePolicy", policy("by", "3"), CodeInvalidParameterValue},
		{"friend", "RedrivePolicy", policy("by", "3"), ""},
		{"z", "RedrivePolicy", policy("dead", `"3"`), ""},
		{"x", "RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, CodeInvalidParameterValue},
		{"x", "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":[` + strings.Repeat(`"a",`, MaxSourceQueues) + `"a"]}`, CodeInvalidParameterValue},
		{"there", "DelaySeconds", "5", ""},
		{"there", "VisibilityTimeout", "30", ""},
		{"there", "DelaySeconds", "6", CodeQueueNameExists},
	} {
		if code := createCode(l, c.name, c.attribute, c.value); code != c.code {
			t.Errorf("create %q with %s %.80s: %q, not %q", c.name, c.attribute, c.value, code, c.code)
		}
	}
	reply, _ := ask[QueueNames](l, &ListDeadLetterSourceQueues{QueueName: "by", MaxResults: 10})
	if !slices.Equal(reply.Names, []string{"friend"}) {
		t.Errorf("the sources are %v", reply.Names)
	}
}

func TestQueuesAreListedInPages(t *testing.T) {
	l := newLab()
	for i := range 25 {
		l.create(t, fmt.Sprintf("a%02d", i))
	}
	l.create(t, "b")
	var all []string
	for after := ""; ; after = all[len(all)-1] {
		page, _ := ask[QueueNames](l, &ListQueues{QueueNamePrefix: "a", After: after, MaxResults: 10})
		all = append(all, page.Names...)
		if !page.HasMore {
			break
		}
	}
	if len(all) != 25 || !slices.IsSorted(all) || all[24] != "a24" {
		t.Errorf("listed %v", all)
	}
	for _, limit := range []int64{0, MaxListed + 1} {
		if _, code := ask[QueueNames](l, &ListQueues{MaxResults: limit}); code != CodeInvalidParameterValue {
			t.Errorf("a page of %d: %q", limit, code)
		}
	}
}

func TestTagsAreKept(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	do[Done](l, &TagQueue{QueueName: "q", Tags: []Pair{{"b", "2"}, {"a", "1"}, {"b", "3"}}})
	do[Done](l, &UntagQueue{QueueName: "q", TagKeys: []string{"a", "none"}})
	if tags := l.about("q").Tags; !slices.Equal(tags, []Pair{{"b", "3"}}) {
		t.Errorf("the tags are %v", tags)
	}
	var many []Pair
	for i := range MaxTags {
		many = append(many, Pair{fmt.Sprint("t", i), ""})
	}
	if _, code := do[Done](l, &TagQueue{QueueName: "q", Tags: many}); code != CodeInvalidParameterValue || len(l.about("q").Tags) != 1 {
		t.Errorf("51 tags: %q, and the queue has %d", code, len(l.about("q").Tags))
	}
	longest := Pair{strings.Repeat("é", 128), strings.Repeat("日", 256)} // in characters, not in bytes
	if _, code := do[Done](l, &TagQueue{QueueName: "q", Tags: []Pair{longest}}); code != "" || !slices.Contains(l.about("q").Tags, longest) {
		t.Errorf("the longest tag: %q", code)
	}
	for _, tag := range []Pair{{"", "v"}, {longest.Name + "k", "v"}, {"k", longest.Value + "v"}, {"aws:k", "v"}, {"k", "aws:v"}} {
		for name, command := range map[string]Command{"q": &TagQueue{QueueName: "q", Tags: []Pair{tag}}, "new": &CreateQueue{QueueName: "new", Tags: []Pair{tag}, Secret: make([]byte, 32)}} {
			if _, code := do[Done](l, command); code != CodeInvalidParameterValue {
				t.Errorf("%s, tag %.20q: %q", name, tag, code)
			}
		}
	}
	if _, code := do[Done](l, &TagQueue{QueueName: "q", Tags: []Pair{{"AWS:k", "a aws:v"}}}); code != "" {
		t.Errorf("a tag that only looks like a reserved one: %q", code)
	}
}

func TestPurgeAndDeleteLeaveNothing(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	for range 5 {
		l.send("q", "x")
	}
	old := l.receive("q", 1)[0]
	if _, code := do[Done](l, &PurgeQueue{QueueName: "q"}); code != "" || l.counts("q") != "0 0 0" {
		t.Fatalf("purge: %q, %s", code, l.counts("q"))
	}
	l.send("q", "new")
	if code := l.delete("q", old.ReceiptHandle); code != "" || l.counts("q") != "1 0 0" {
		t.Errorf("deleting what was purged: %q, %s", code, l.counts("q"))
	}
	if _, code := do[Done](l, &PurgeQueue{QueueName: "q"}); code != CodePurgeInProgress {
		t.Errorf("the second purge: %q", code)
	}
	l.pass(PurgeSeconds * 1000)
	if _, code := do[Done](l, &PurgeQueue{QueueName: "q"}); code != "" {
		t.Errorf("a purge later: %q", code)
	}
	l.pass(PurgeSeconds * 1000)
	send := Encode(nil, &SendMessageBatch{QueueName: "q", Entries: []SendEntry{{MessageBody: []byte("x"), DelaySeconds: 1}}})
	l.entry(send, Encode(nil, &PurgeQueue{QueueName: "q"}), send) // in one entry
	if err := l.verify(); err != nil || l.counts("q") != "0 0 1" {
		t.Errorf("%v, %s", err, l.counts("q"))
	}
	l.events = nil
	do[Done](l, &DeleteQueue{QueueName: "q"})
	if !slices.Contains(l.events, "deleted q") {
		t.Errorf("the events are %v", l.events)
	}
	l.create(t, "q")
	if code := l.delete("q", old.ReceiptHandle); code != CodeReceiptHandleIsInvalid {
		t.Errorf("a handle of a queue that was deleted: %q", code)
	}
	l.pass(400_000_000)
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

func TestUnknownQueuesAreToldOf(t *testing.T) {
	l := newLab()
	codes := map[string]string{"send": l.send("no", "x").Err.Code, "delete": l.delete("no", "h"), "change": l.change("no", "h", 1)}
	_, codes["receive"] = do[Received](l, &ReceiveMessage{QueueName: "no", MaxNumberOfMessages: 1})
	for what, command := range map[string]Command{"delete queue": &DeleteQueue{"no"}, "purge": &PurgeQueue{"no"},
		"set": &SetQueueAttributes{QueueName: "no"}, "tag": &TagQueue{QueueName: "no"}, "untag": &UntagQueue{QueueName: "no"}} {
		_, codes[what] = do[Done](l, command)
	}
	_, codes["attributes"] = ask[QueueAttributes](l, &GetQueueAttributes{"no"})
	_, codes["peek"] = ask[Peeked](l, &PeekMessages{QueueName: "no", MaxNumberOfMessages: 1})
	for what, code := range codes {
		if code != CodeQueueDoesNotExist {
			t.Errorf("%s: %q", what, code)
		}
	}
}

// TestNumbersGoOnAfterAPurge: of two messages, the one that was sent later has the greater
// number, whatever happened between.
func TestNumbersGoOnAfterAPurge(t *testing.T) {
	l := newLab()
	l.create(t, "q.fifo", "FifoQueue", "true")
	inGroup := func(s *SendEntry) { s.MessageGroupID, s.MessageDeduplicationID = "g", string(s.MessageBody) }
	first := l.send("q.fifo", "a", inGroup)
	do[Done](l, &PurgeQueue{QueueName: "q.fifo"})
	second := l.send("q.fifo", "b", inGroup)
	if second.SequenceNumber <= first.SequenceNumber {
		t.Errorf("before the purge %d, after it %d", first.SequenceNumber, second.SequenceNumber)
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestPurgeKeepsMoveTasks: what was moved before is history; what still was to be moved is gone.
func TestPurgeKeepsMoveTasks(t *testing.T) {
	l := newLabWithDead(t)
	for range 10 {
		l.send("dead", "x")
	}
	started, code := do[MoveStarted](l, &StartMessageMoveTask{SourceQueue: "dead", DestinationQueue: "q", MaxNumberOfMessagesPerSecond: 1})
	if code != "" {
		t.Fatal(code)
	}
	for _, again := range []flotilla.Millis{0, PurgeSeconds * 1000} {
		l.pass(again)
		if _, code := do[Done](l, &PurgeQueue{QueueName: "dead"}); code != "" {
			t.Fatal(code)
		}
		moves, code := ask[MoveTasks](l, &ListMessageMoveTasks{SourceQueue: "dead"})
		if code != "" || len(moves.Results) != 1 || moves.Results[0].TaskHandle != started.TaskHandle || moves.Results[0].Status != MoveCompleted {
			t.Errorf("%q; tasks %+v", code, moves.Results)
		}
	}
	if _, code := do[MoveStarted](l, &StartMessageMoveTask{SourceQueue: "dead", DestinationQueue: "q"}); code != "" {
		t.Errorf("another task: %q", code)
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestPartitionsAreNotListed: a partition's name is no queue's.
func TestPartitionsAreNotListed(t *testing.T) {
	l := newLab()
	part := route{Base: "q", ID: 7, Slots: []uint64{5}}
	l.create(t, "q")
	do[Done](l, &CreateQueue{QueueName: part.partition(0), Secret: make([]byte, 32)})
	for _, prefix := range []string{"q/", "q/0"} {
		names, code := ask[QueueNames](l, &ListQueues{QueueNamePrefix: prefix, MaxResults: 10})
		if code != "" || len(names.Names) != 0 {
			t.Errorf("%s: %q %v", prefix, code, names.Names)
		}
	}
}

// TestTooOldIsNotMoved: a dead letter that is too old since its queue keeps messages less long does not live again
// by being moved.
func TestTooOldIsNotMoved(t *testing.T) {
	l := newLab()
	l.create(t, "dead", "MessageRetentionPeriod", "1209600")
	l.create(t, "q", "RedrivePolicy", `{"deadLetterTargetArn":"dead","maxReceiveCount":1}`, "MessageRetentionPeriod", "1209600")
	l.send("q", "old")
	l.pass(4 * 86_400_000)
	l.change("q", l.receive("q", 1)[0].ReceiptHandle, 0)
	l.send("dead", "new")
	l.set(t, "dead", "MessageRetentionPeriod", "345600")
	if _, code := do[MoveStarted](l, &StartMessageMoveTask{SourceQueue: "dead", DestinationQueue: "q"}); code != "" {
		t.Fatal(code)
	}
	l.pass(10_000)
	if got := bodies(l.receive("q", 10)); got != "new" || l.counts("dead") != "0 0 0" {
		t.Errorf("received %q; %s are left", got, l.counts("dead"))
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}
