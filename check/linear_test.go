package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

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
		{"unknown ones of two values, the later first", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, write("b")), known(1, 5, 6, write("c")),
			with(Unknown, known(2, 7, 8, write("a"))), with(Unknown, known(3, 9, 10, write("b"))), known(1, 11, 12, read("b")), known(1, 13, 14, read("a"))}, ""},
		{"refused is not there", []Operation{with(Refused, known(1, 1, 2, write("a"))), known(2, 3, 4, nothing())}, ""},
		{"refused is there", []Operation{with(Refused, known(1, 1, 2, write("a"))), known(2, 3, 4, read("a"))}, `"a" was refused and is there all the same`},
		{"swap", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, swap("a", "b")), known(2, 5, 6, read("b"))}, ""},
		{"two swaps of one value", []Operation{known(1, 1, 2, write("a")), known(1, 3, 8, swap("a", "b")), known(2, 3, 8, swap("a", "c"))}, "changed"},
		{"unknown swap", []Operation{known(1, 1, 2, write("a")), with(Unknown, known(1, 3, 4, swap("a", "b"))), known(2, 5, 6, read("a")), known(2, 7, 8, read("b"))}, ""},
		{"delete", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, deleted()), known(2, 5, 6, read("a"))}, "no order explains"},
		{"expired in its time", []Operation{known(1, 1, 2, write("a")), expiry(5, "a"), known(2, 3, 4, read("a")), known(2, 6, 7, nothing())}, ""},
		{"not expired yet", []Operation{known(1, 1, 2, write("a")), expiry(5, "a"), known(2, 6, 7, read("a"))}, ""},
		{"expired too early", []Operation{known(1, 1, 2, write("a")), expiry(5, "a"), known(2, 3, 4, nothing())}, "read nothing"},
		{"back after it expired", []Operation{known(1, 1, 2, write("a")), expiry(5, "a"), known(2, 6, 7, nothing()), known(2, 8, 9, read("a"))}, "no order explains"},
		{"expired, and a guard saw it", []Operation{known(1, 1, 2, write("a")), expiry(5, "a"),
			known(1, 6, 7, watching(exec(in("k", write("b"))), in("k", nothing()))), known(2, 8, 9, read("b"))}, ""},
		{"a guard saw it too early", []Operation{known(1, 1, 2, write("a")), expiry(8, "a"),
			known(1, 6, 7, watching(exec(in("k", write("b"))), in("k", nothing()))), known(2, 8, 9, read("b"))}, "read nothing"},
		{"another value does not expire", []Operation{known(1, 1, 2, write("a")), expiry(5, "a"), known(1, 6, 7, write("b")), known(2, 8, 9, nothing())}, "read nothing"},
		{"counter", []Operation{known(1, 1, 9, add(1, 2)), known(2, 1, 9, add(1, 1)), known(1, 10, 11, count(2))}, ""},
		{"counter below zero", []Operation{known(1, 1, 2, add(-3, -3)), known(1, 3, 4, add(1, -2)), known(1, 5, 6, count(-2))}, ""},
		{"counted twice", []Operation{known(1, 1, 2, add(1, 1)), known(1, 3, 4, add(1, 3))}, "added 1 and got 3"},
		{"lost update", []Operation{known(1, 1, 9, add(1, 1)), known(2, 1, 9, add(1, 1))}, "no order explains"},
		{"refused is counted", []Operation{with(Refused, known(1, 1, 2, add(1, 0))), known(1, 3, 4, count(1))}, "read the count 1"},
		{"set", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, insert("b")), known(1, 5, 6, remove("a")), known(2, 7, 8, members("b"))}, ""},
		{"set lost a member", []Operation{known(1, 1, 2, insert("b")), known(1, 3, 4, insert("a")), known(2, 5, 6, members("a"))}, "read 1 members"},
		{"set forgot that it had it", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, insert("a"))}, "no order explains"},
		{"set with refused member", []Operation{with(Refused, known(1, 1, 2, insert("a"))), known(2, 5, 6, members("a"))}, "refused and is there"},
		{"delete of a counter", []Operation{known(1, 1, 2, add(2, 2)), known(1, 3, 4, deleted()), known(1, 5, 6, add(1, 1))}, ""},
		{"delete of a set", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, deleted()), known(1, 5, 6, members("a"))}, "read 1 members"},
		{"the empty member", []Operation{known(1, 1, 2, insert("")), known(1, 3, 4, members(""))}, ""},
		{"weak reads are not for this", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, at(LevelEventual, nothing()))}, ""},
		{"an unknown write that a weak read saw has happened", []Operation{with(Unknown, known(1, 1, 2, write("a"))),
			known(2, 3, 4, at(LevelEventual, read("a"))), known(2, 5, 6, nothing())}, "read nothing"},
		{"two types", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, read("a"))}, "two different types"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, Linearizable(test.history, EnoughSteps), test.fault) })
	}
}

func TestUnknownWritesThatNobodySawCostNothing(t *testing.T) {
	var history []Operation
	for i := range int64(300) {
		history = append(history, with(Unknown, known(int(i), i, i, write(strings.Repeat("u", int(i)+1)))))
	}
	history = append(history, known(1, 500, 501, write("a")), known(1, 502, 503, read("a")), known(1, 504, 505, read("b")))
	expect(t, Linearizable(history, EnoughSteps), "no order explains the 3 operations")
}

// TestRunningOutOfSteps: what was not judged is not good, and says so.
func TestRunningOutOfSteps(t *testing.T) {
	history := []Operation{known(1, 1, 9, write("a")), known(2, 1, 9, write("b")), known(3, 10, 11, read("a"))}
	expect(t, Linearizable(history, 100), "")
	expect(t, Linearizable(history, 2), "3 operations could not be judged in 2 steps")
}

// TestValuesThatMayExpireCostLittle: each of many values may have expired whenever it was
// there, and need not.
func TestValuesThatMayExpireCostLittle(t *testing.T) {
	var history []Operation
	at := int64(1)
	for i := range 40 {
		value := fmt.Sprint("v", i)
		history = append(history, known(1, at, at+1, write(value)), known(2, at+2, at+3, read(value)), expiry(at+3, value))
		at += 4
	}
	history = append(history, known(3, 1, at, write("beside")), known(2, at+1, at+2, nothing()))
	expect(t, Linearizable(history, EnoughSteps), "")
	history = append(history, known(2, at+3, at+4, read("v39")))
	expect(t, Linearizable(history, EnoughSteps), "no order explains")
}

// TestUnknownWritesThatMayExpireCostLittle: each of many writes may have happened, or not,
// and its value, which nobody saw, may have expired.
func TestUnknownWritesThatMayExpireCostLittle(t *testing.T) {
	history := []Operation{known(1, 1, 2, write("a"))}
	for i := range int64(40) {
		value := fmt.Sprint("v", i)
		history = append(history, with(Unknown, known(int(i), 3+i, 4+i, write(value))), expiry(3+i, value))
	}
	history = append(history, known(1, 100, 101, nothing()), known(1, 102, 103, write("b")), known(1, 104, 105, nothing()))
	expect(t, Linearizable(history, EnoughSteps), "")
	history = append(history, known(1, 106, 107, read("b")))
	expect(t, Linearizable(history, EnoughSteps), "no order explains")
}

// TestValuesThatPassAgreeWithBruteForce tries every order of short histories of one key,
// in which most writes have an unknown outcome and values that may expire.
func TestValuesThatPassAgreeWithBruteForce(t *testing.T) {
	agreesWithBruteForce(t, 6000, 500, func(seed uint64) (history []Operation, want bool) {
		chance := rand.New(rand.NewPCG(seed, 3))
		for i := range int64(4) {
			begin := int64(chance.IntN(12))
			o := known(int(i), begin, begin+int64(chance.IntN(4)), write(fmt.Sprint("v", i)))
			if chance.IntN(3) > 0 {
				o.Outcome = Unknown
			}
			if history = append(history, o); chance.IntN(3) > 0 {
				history = append(history, expiry(begin, o.Value))
			}
		}
		for i := range 3 {
			begin := int64(chance.IntN(16))
			o := nothing()
			if value := chance.IntN(8); value < 4 {
				o = read(fmt.Sprint("v", value))
			}
			history = append(history, known(10+i, begin, begin+int64(chance.IntN(3)), o))
		}
		return history, anyOrder(history, "")
	})
}

// anyOrder tries every order of a short history of one key.
func anyOrder(left []Operation, state string) bool {
	isDone, firstEnd := true, int64(never)
	for _, o := range left {
		if o.Outcome == Known {
			isDone, firstEnd = false, min(firstEnd, o.End)
		}
	}
	for i, o := range left {
		if fits, next := apply(state, o); !isDone && o.Begin <= firstEnd && fits {
			if anyOrder(slices.Delete(slices.Clone(left), i, i+1), next) {
				return true
			}
		}
	}
	return isDone
}

func TestUnknownAdditionsCostLittle(t *testing.T) {
	var history []Operation
	total := int64(0)
	for i := range int64(2000) {
		if i%50 == 0 { // forty of them; every other one happens
			history = append(history, with(Unknown, known(1, 10*i, 10*i+1, add(1, 0))))
			total += i / 50 % 2
		}
		total++
		history = append(history, known(2, 10*i+2, 10*i+3, add(1, total)))
	}
	expect(t, Linearizable(history, EnoughSteps), "")
	history[len(history)-1].Total++ // may be one of those that did not happen yet
	expect(t, Linearizable(history, EnoughSteps), "")
	history[len(history)-1].Total += 40
	expect(t, Linearizable(history, EnoughSteps), "this answer fits none")
}

func TestListsAreLinearizable(t *testing.T) {
	a, b := known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(false, "b", 2))
	tests := []struct {
		name    string
		history []Operation
		fault   string
	}{
		{"both ends", []Operation{a, b, known(1, 5, 6, elements("b", "a")), known(1, 7, 8, pop(PopRight, "a")), known(1, 9, 10, pop(PopLeft, "b"))}, ""},
		{"wrong end", []Operation{a, b, known(1, 7, 8, pop(PopRight, "b"))}, `popped right "b"`},
		{"two got one element", []Operation{a, known(1, 3, 9, pop(PopLeft, "a")), known(2, 3, 9, pop(PopRight, "a"))}, "no order explains"},
		{"popped from an empty list", []Operation{known(1, 1, 2, pop(PopLeft, "")), known(1, 3, 4, push(true, "a", 1))}, ""},
		{"popped nothing from a full one", []Operation{a, known(1, 7, 8, pop(PopLeft, ""))}, "popped left nothing"},
		{"wrong length", []Operation{a, known(1, 3, 4, push(true, "b", 3))}, "made the length 3"},
		{"wrong order", []Operation{a, b, known(1, 5, 6, elements("a", "b"))}, "read 2 elements"},
		{"a part of it", []Operation{a, b, known(1, 5, 6, Operation{Kind: Range, From: 1, To: 5, Values: []string{"a"}})}, ""},
		{"a part from the end", []Operation{a, b, known(1, 5, 6, Operation{Kind: Range, From: -1, To: -1, Values: []string{"b"}})}, "no order explains"},
		{"length", []Operation{a, b, known(1, 5, 6, Operation{Kind: Length, Total: 1})}, "read the length 1"},
		{"deleted", []Operation{a, known(1, 3, 4, deleted()), known(1, 5, 6, elements())}, ""},
		{"unknown pop may have been", []Operation{a, with(Unknown, known(1, 3, 4, pop(PopLeft, ""))), known(1, 5, 6, elements())}, ""},
		{"unknown pop takes one only", []Operation{a, b, with(Unknown, known(1, 5, 6, pop(PopLeft, ""))), known(1, 7, 8, elements())}, "no order explains"},
		{"unknown push may have been", []Operation{a, with(Unknown, known(2, 1, 2, push(true, "u", 0))), known(1, 5, 6, elements("u", "a"))}, "no order explains"},
		{"unknown push comes once", []Operation{with(Unknown, known(2, 1, 2, push(true, "u", 0))), known(1, 5, 6, elements("u", "u"))}, "no order explains"},
		{"refused push is there", []Operation{with(Refused, known(2, 1, 2, push(true, "u", 0))), known(1, 5, 6, elements("u"))}, `"u" was refused`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, Linearizable(test.history, EnoughSteps), test.fault) })
	}
}
