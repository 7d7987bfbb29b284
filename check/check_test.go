package check

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// known makes an operation with an answer that took place from begin to end.
func known(client int, begin, end int64, o Operation) Operation {
	o.Client, o.Begin, o.End, o.Key, o.Outcome = client, begin, end, "k", Known
	return o
}

func with(outcome Outcome, o Operation) Operation {
	o.Outcome = outcome
	return o
}

func write(value string) Operation { return Operation{Kind: Write, Value: value} }
func read(value string) Operation  { return Operation{Kind: Read, Value: value, Found: true} }
func nothing() Operation           { return Operation{Kind: Read} }
func swap(expect, value string) Operation {
	return Operation{Kind: CompareAndSet, Expect: expect, Value: value, Changed: true}
}
func add(number, total int64) Operation { return Operation{Kind: Add, Number: number, Total: total} }
func count(total int64) Operation       { return Operation{Kind: Count, Total: total} }
func insert(value string) Operation {
	return Operation{Kind: Insert, Value: value, Changed: true}
}
func remove(value string) Operation {
	return Operation{Kind: Remove, Value: value, Changed: true}
}
func members(values ...string) Operation { return Operation{Kind: Members, Values: values} }

func TestLinearizableJudgesHistories(t *testing.T) {
	tests := []struct {
		name    string
		history []Operation
		fault   string // empty: good
	}{
		{"one after the other", []Operation{known(1, 1, 2, write("a")), known(2, 3, 4, read("a"))}, ""},
		{"side by side, either way", []Operation{known(1, 1, 9, write("a")), known(2, 2, 3, nothing()), known(2, 4, 5, read("a"))}, ""},
		{"stale read", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, write("b")), known(2, 5, 6, read("a"))}, "no order explains"},
		{"read goes back", []Operation{known(1, 1, 2, write("a")), known(1, 3, 9, write("b")), known(2, 4, 5, read("b")), known(3, 6, 7, read("a"))}, "no order explains"},
		{"lost write", []Operation{known(1, 1, 2, write("a")), known(2, 3, 4, nothing())}, "read nothing"},
		{"unknown may come late", []Operation{with(Unknown, known(1, 1, 2, write("a"))), known(2, 3, 4, nothing()), known(2, 5, 6, read("a"))}, ""},
		{"unknown may never come", []Operation{with(Unknown, known(1, 1, 2, write("a"))), known(2, 3, 4, nothing())}, ""},
		{"unknown comes once only", []Operation{with(Unknown, known(1, 1, 2, write("a"))), known(2, 3, 4, write("b")), known(2, 5, 6, read("a")),
			known(2, 7, 8, write("c")), known(2, 9, 10, read("a"))}, "no order explains"},
		{"unknown does not come before it began", []Operation{known(2, 1, 2, read("a")), with(Unknown, known(1, 3, 4, write("a")))}, "no order explains"},
		{"refused is not there", []Operation{with(Refused, known(1, 1, 2, write("a"))), known(2, 3, 4, nothing())}, ""},
		{"refused is there", []Operation{with(Refused, known(1, 1, 2, write("a"))), known(2, 3, 4, read("a"))}, `"a" was refused and is there all the same`},
		{"swap", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, swap("a", "b")), known(2, 5, 6, read("b"))}, ""},
		{"two swaps of one value", []Operation{known(1, 1, 2, write("a")), known(1, 3, 8, swap("a", "b")), known(2, 3, 8, swap("a", "c"))}, "changed"},
		{"unknown swap", []Operation{known(1, 1, 2, write("a")), with(Unknown, known(1, 3, 4, swap("a", "b"))), known(2, 5, 6, read("a")), known(2, 7, 8, read("b"))}, ""},
		{"delete", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, Operation{Kind: Delete}), known(2, 5, 6, read("a"))}, "no order explains"},
		{"counter", []Operation{known(1, 1, 9, add(1, 2)), known(2, 1, 9, add(1, 1)), known(1, 10, 11, count(2))}, ""},
		{"counter below zero", []Operation{known(1, 1, 2, add(-3, -3)), known(1, 3, 4, add(1, -2)), known(1, 5, 6, count(-2))}, ""},
		{"counted twice", []Operation{known(1, 1, 2, add(1, 1)), known(1, 3, 4, add(1, 3))}, "added 1 and got 3"},
		{"lost update", []Operation{known(1, 1, 9, add(1, 1)), known(2, 1, 9, add(1, 1))}, "no order explains"},
		{"refused is counted", []Operation{with(Refused, known(1, 1, 2, add(1, 0))), known(1, 3, 4, count(1))}, "read the count 1"},
		{"set", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, insert("b")), known(1, 5, 6, remove("a")), known(2, 7, 8, members("b"))}, ""},
		{"set lost a member", []Operation{known(1, 1, 2, insert("b")), known(1, 3, 4, insert("a")), known(2, 5, 6, members("a"))}, "read 1 members"},
		{"set forgot that it had it", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, insert("a"))}, "no order explains"},
		{"set with refused member", []Operation{with(Refused, known(1, 1, 2, insert("a"))), known(2, 5, 6, members("a"))}, "refused and is there"},
		{"two types", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, read("a"))}, "two different types"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, Linearizable(test.history, time.Minute), test.fault) })
	}
}

func TestDurableJudgesWhatIsLeft(t *testing.T) {
	tests := []struct {
		name    string
		history []Operation
		final   Final
		fault   string
	}{
		{"last write is there", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))}, Final{Found: true, Value: "b"}, ""},
		{"older write is there", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))}, Final{Found: true, Value: "a"}, "lost"},
		{"either of two side by side", []Operation{known(1, 1, 5, write("a")), known(2, 2, 4, write("b"))}, Final{Found: true, Value: "a"}, ""},
		{"unknown write is there", []Operation{with(Unknown, known(1, 1, 2, write("a"))), known(1, 3, 4, write("b"))}, Final{Found: true, Value: "a"}, ""},
		{"refused write is there", []Operation{with(Refused, known(1, 1, 2, write("a")))}, Final{Found: true, Value: "a"}, "nobody wrote"},
		{"write is gone", []Operation{known(1, 1, 2, write("a"))}, Final{}, "nothing is there"},
		{"write is deleted", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, Operation{Kind: Delete})}, Final{}, ""},
		{"deleted write is back", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, Operation{Kind: Delete})}, Final{Found: true, Value: "a"}, "lost"},
		{"swap is there", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, swap("a", "b"))}, Final{Found: true, Value: "b"}, ""},
		{"swap is lost", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, swap("a", "b"))}, Final{Found: true, Value: "a"}, "lost"},
		{"count is right", []Operation{known(1, 1, 2, add(2, 2)), with(Unknown, known(1, 3, 4, add(1, 0)))}, Final{Total: 3}, ""},
		{"count is too low", []Operation{known(1, 1, 2, add(2, 2))}, Final{Total: 1}, "makes it 2 to 2"},
		{"count is too high", []Operation{known(1, 1, 2, add(2, 2)), with(Refused, known(1, 3, 4, add(1, 0)))}, Final{Total: 3}, "makes it 2 to 2"},
		{"members are there", []Operation{known(1, 1, 2, insert("a")), with(Unknown, known(1, 1, 2, insert("b")))}, Final{Values: []string{"b", "a"}}, ""},
		{"member is lost", []Operation{known(1, 1, 2, insert("a"))}, Final{}, "lost"},
		{"member was removed", []Operation{known(1, 1, 2, insert("a")), with(Unknown, known(1, 3, 4, remove("a")))}, Final{}, ""},
		{"member was refused", []Operation{with(Refused, known(1, 1, 2, insert("a")))}, Final{Values: []string{"a"}}, "refused or never asked for"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, Durable(test.history, map[string]Final{"k": test.final}), test.fault) })
	}
	expect(t, Durable([]Operation{known(1, 1, 2, write("a"))}, nil), "was not read")
}

// expect checks that a verdict is good, or has a fault with these words.
func expect(t *testing.T, v Verdict, fault string) {
	t.Helper()
	if fault == "" && !v.OK() || fault != "" && (v.OK() || !strings.Contains(v.String(), fault)) {
		t.Errorf("want %q, got %v", fault, v)
	}
}

func TestUnknownWritesThatNobodySawCostNothing(t *testing.T) {
	var history []Operation
	for i := range int64(300) {
		history = append(history, with(Unknown, known(int(i), i, i, write(strings.Repeat("u", int(i)+1)))))
	}
	history = append(history, known(1, 500, 501, write("a")), known(1, 502, 503, read("a")), known(1, 504, 505, read("b")))
	expect(t, Linearizable(history, 5*time.Second), "no order explains the 3 operations")
}

func TestRecorderTakesClientsSideBySide(t *testing.T) {
	var clock int64
	var mu sync.Mutex
	recorder := NewRecorder(func() int64 {
		mu.Lock()
		defer mu.Unlock()
		clock++
		return clock
	})
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for range 50 {
				recorder.Do(Operation{Client: client, Key: "k", Kind: Write}, func(o *Operation) { o.Outcome = Known })
			}
			recorder.Do(Operation{Client: client, Key: "k", Kind: Write}, func(*Operation) {})
		})
	}
	clients.Wait()
	history := recorder.History()
	unknown := 0
	for i, o := range history {
		if o.End <= o.Begin || i > 0 && o.Begin <= history[i-1].Begin {
			t.Fatalf("operation %d: %+v", i, o)
		}
		if o.Outcome == Unknown {
			unknown++
		}
	}
	if len(history) != 204 || unknown != 4 {
		t.Fatalf("%d operations, %d unknown", len(history), unknown)
	}
}
