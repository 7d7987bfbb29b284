package check

import (
	"testing"
	"time"
)

// long is how far apart the bounded reads below are from the changes that they miss.
const long = int64(time.Second)

func bounded(age int64, o Operation) Operation {
	o.Level, o.Age = LevelBounded, age
	return o
}

type levelTest struct {
	name    string
	history []Operation
	fault   string
}

func judgeLevels(t *testing.T, judge func([]Operation) Verdict, tests []levelTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Helper()
			expect(t, judge(test.history), test.fault)
		})
	}
}

func TestEventualReadsSeeWhatOnceWas(t *testing.T) {
	eventual := func(o Operation) Operation { return at(LevelEventual, o) }
	a, b := known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))
	ia, ib := known(1, 1, 2, insert("a")), known(1, 3, 4, insert("b"))
	judgeLevels(t, Eventual, []levelTest{
		{"an old value", []Operation{a, b, known(2, 9, 10, eventual(read("a")))}, ""},
		{"the empty beginning", []Operation{a, b, known(2, 9, 10, eventual(nothing()))}, ""},
		{"to and fro", []Operation{a, b, known(2, 9, 10, eventual(read("b"))), known(2, 11, 12, eventual(read("a")))}, ""},
		{"a write beside it", []Operation{known(2, 1, 2, eventual(read("a"))), known(1, 2, 9, write("a"))}, ""},
		{"a write to come", []Operation{known(2, 1, 2, eventual(read("a"))), known(1, 3, 4, write("a"))}, "asked for later"},
		{"what nobody wrote", []Operation{a, known(2, 9, 10, eventual(read("x")))}, `nobody asked for "x"`},
		{"what was refused", []Operation{with(Refused, a), known(2, 9, 10, eventual(read("a")))}, `"a" was refused`},
		{"what may have been written", []Operation{with(Unknown, a), known(2, 9, 10, eventual(read("a")))}, ""},
		{"what a swap did not write", []Operation{a, known(1, 3, 4, Operation{Kind: CompareAndSet, Expect: "x", Value: "y"}), known(2, 9, 10, eventual(read("y")))}, "nobody"},
		{"an old count", []Operation{known(1, 1, 2, add(1, 1)), known(1, 3, 4, add(1, 2)), known(2, 9, 10, eventual(count(1)))}, ""},
		{"a count that never was", []Operation{known(1, 1, 2, add(2, 2)), known(2, 9, 10, eventual(count(1)))}, "never 1"},
		{"a count too high", []Operation{known(1, 1, 2, add(1, 1)), known(2, 9, 10, eventual(count(2)))}, "never 2"},
		{"a count with an unknown one", []Operation{known(1, 1, 2, add(1, 1)), with(Unknown, known(1, 3, 4, add(1, 0))), known(2, 9, 10, eventual(count(2)))}, ""},
		{"a count with a refused one", []Operation{known(1, 1, 2, add(1, 1)), with(Refused, known(1, 3, 4, add(1, 0))), known(2, 9, 10, eventual(count(2)))}, "never 2"},
		{"a count between two steps", []Operation{with(Unknown, known(1, 1, 2, add(1, 0))), known(1, 3, 4, add(2, 2)), known(2, 9, 10, eventual(count(1)))}, "never 1"},
		{"a count that came down", []Operation{known(1, 1, 2, add(3, 3)), known(1, 3, 4, add(-2, 1)), known(1, 5, 6, add(1, 2)), known(2, 9, 10, eventual(count(2)))}, ""},
		{"a count below zero", []Operation{known(1, 1, 2, add(-1, -1)), known(2, 9, 10, eventual(count(-1)))}, ""},
		{"an old set", []Operation{ia, ib, known(2, 9, 10, eventual(members("a")))}, ""},
		{"a set that never was", []Operation{ia, ib, known(2, 9, 10, eventual(members("b")))}, `not what came before, that client 1 inserted "a"`},
		{"a set from which somebody may have taken", []Operation{ia, ib, with(Unknown, known(3, 5, 6, Operation{Kind: Remove, Value: "a"})), known(2, 9, 10, eventual(members("b")))}, ""},
		{"a set with a refused member", []Operation{ia, with(Refused, ib), known(2, 9, 10, eventual(members("a", "b")))}, `"b" was refused`},
		{"a member that is there and was removed before another came", []Operation{ia, known(1, 2, 3, remove("a")), known(1, 5, 6, insert("b")), known(2, 9, 10, eventual(members("a", "b")))}, "not what came before"},
		{"an old list", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2)), known(2, 9, 10, eventual(elements("a")))}, ""},
		{"a list that never was", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2)), known(2, 9, 10, eventual(elements("b")))}, "not what came before"},
		{"a list in disorder", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2)), known(2, 9, 10, eventual(elements("b", "a")))}, "is right of it"},
		{"an element twice", []Operation{known(1, 1, 2, push(true, "a", 1)), known(2, 9, 10, eventual(elements("a", "a")))}, "not as often"},
		{"a list after a pop", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2)), known(1, 5, 6, pop(PopLeft, "a")), known(2, 9, 10, eventual(elements("b")))}, ""},
		{"too long a list", []Operation{known(1, 1, 2, push(true, "a", 1)), known(2, 9, 10, eventual(Operation{Kind: Length, Total: 2}))}, "only 1 pushes"},
		{"a read in a transaction", []Operation{a, known(2, 9, 10, at(LevelEventual, exec(in("k", nothing()), in("j", read("x")))))}, `key "j"`},
		{"two types", []Operation{a, known(2, 9, 10, eventual(count(1)))}, "two different types"},
		{"reads of one step", []Operation{known(1, 1, 2, exec(in("j", write("a")), in("k", write("b")))), known(2, 9, 10, at(LevelEventual, exec(in("j", read("a")), in("k", read("b")))))}, ""},
		{"reads of one step, before it", []Operation{known(1, 1, 2, exec(in("j", write("a")), in("k", write("b")))), known(2, 9, 10, at(LevelEventual, exec(in("j", nothing()), in("k", nothing()))))}, ""},
		{"half of a step", []Operation{known(1, 1, 2, exec(in("j", write("a")), in("k", write("b")))), known(2, 9, 10, at(LevelEventual, exec(in("j", read("a")), in("k", nothing()))))}, "never so at once"},
		{"one key newer than the other", []Operation{in("j", known(1, 1, 2, write("a"))), in("k", known(1, 3, 4, write("b"))), known(2, 9, 10, at(LevelEventual, exec(in("j", nothing()), in("k", read("b")))))}, "never so at once"},
		{"one key newer than the other, both side by side", []Operation{in("j", known(1, 1, 4, write("a"))), in("k", known(3, 3, 4, write("b"))), known(2, 9, 10, at(LevelEventual, exec(in("j", nothing()), in("k", read("b")))))}, ""},
		{"fewer elements than none", []Operation{known(1, 1, 2, push(true, "a", 1)), known(2, 9, 10, eventual(Operation{Kind: Length, Total: -7}))}, "fewer elements than none"},
		{"linearizable reads are not for this", []Operation{a, known(2, 9, 10, read("x"))}, ""},
	})
}

func TestBoundedReadsAreNoOlderThanTheirBound(t *testing.T) {
	a, b := known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))
	late := func(o Operation) Operation { return known(2, 5*long, 6*long, o) }
	judgeLevels(t, Bounded, []levelTest{
		{"the newest", []Operation{a, b, late(bounded(long, read("b")))}, ""},
		{"old, and within the bound", []Operation{a, b, late(bounded(5*long, read("a")))}, ""},
		{"too old", []Operation{a, b, late(bounded(long, read("a")))}, `older than its bound of 1s: client 2 read "a" (bounded)`},
		{"the empty beginning", []Operation{a, late(bounded(long, nothing()))}, "it does not show that client 1 wrote"},
		{"a deleted one", []Operation{a, known(1, 5, 6, deleted()), late(bounded(long, nothing()))}, ""},
		{"replaced within the bound", []Operation{a, known(1, 3, 4*long+1, write("b")), late(bounded(long, read("a")))}, ""},
		{"replaced at the bound", []Operation{a, known(1, 3, 4*long, write("b")), late(bounded(long, read("a")))}, ""},
		{"replaced before the bound", []Operation{a, known(1, 3, 4*long-1, write("b")), late(bounded(long, read("a")))}, "older than its bound"},
		{"replaced by a write of unknown outcome", []Operation{a, with(Unknown, b), late(bounded(long, read("a")))}, ""},
		{"replaced by one that was seen", []Operation{a, with(Unknown, b), known(3, 7, 8, read("b")), late(bounded(long, read("a")))}, "older than its bound"},
		{"seen only lately", []Operation{a, with(Unknown, b), known(3, 7, 9*long, read("b")), late(bounded(long, read("a")))}, ""},
		{"either of two at once", []Operation{a, known(3, 1, 2, write("c")), late(bounded(long, read("a")))}, ""},
		{"two at once, and the other was read", []Operation{a, known(3, 1, 2, write("c")), known(3, 3, 4, read("c")), late(bounded(long, read("a")))}, "older than its bound"},
		{"written twice", []Operation{a, b, known(3, 5, 6, write("a")), late(bounded(long, read("a")))}, ""},
		{"an old count", []Operation{known(1, 1, 2, add(1, 1)), known(1, 3, 4, add(1, 2)), late(bounded(long, count(1)))}, "added 1 and got 2"},
		{"an old length", []Operation{known(1, 1, 2, push(true, "a", 1)), late(bounded(long, Operation{Kind: Length}))}, `pushed right "a"`},
		{"an old set", []Operation{known(1, 1, 2, insert("a")), late(bounded(long, members()))}, `inserted "a"`},
		{"a member that is long gone", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, remove("a")), late(bounded(long, members("a")))}, `removed "a"`},
		{"an old list", []Operation{known(1, 1, 2, push(true, "a", 1)), late(bounded(long, elements()))}, `pushed right "a"`},
		{"an element that is long gone", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, pop(PopLeft, "a")), late(bounded(long, elements("a")))}, `popped left "a"`},
		{"an element that may be gone", []Operation{known(1, 1, 2, push(true, "a", 1)), with(Unknown, known(1, 3, 4, pop(PopLeft, ""))), late(bounded(long, elements()))}, ""},
		{"a transaction's write", []Operation{known(1, 1, 2, exec(in("k", write("a")))), late(bounded(long, nothing()))}, "older than its bound"},
		{"other levels", []Operation{a, b, late(at(LevelEventual, read("a")))}, ""},
	})
}

func TestSessionsDoNotGoBack(t *testing.T) {
	session := func(o Operation) Operation { return at(LevelSession, o) }
	a, b := known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))
	pa, pb := known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(false, "b", 2))
	length := func(total int64) Operation { return session(Operation{Kind: Length, Total: total}) }
	judgeLevels(t, Session, []levelTest{
		{"an old length for a new session", []Operation{pa, pb, known(2, 9, 10, length(0)), known(2, 11, 12, length(2))}, ""},
		{"a length that goes back", []Operation{pa, pb, known(2, 9, 10, length(2)), known(2, 11, 12, length(0))}, "the session went back"},
		{"a length without the own push", []Operation{pa, pb, known(1, 9, 10, length(1))}, "the session went back"},
		{"a length that goes back, and an element that was taken out", []Operation{pa, pb, known(3, 5, 6, pop(PopLeft, "b")), known(2, 9, 10, length(2)), known(2, 11, 12, length(0))}, ""},
		{"a length with a push of unknown outcome", []Operation{pa, with(Unknown, known(3, 3, 4, push(true, "c", 0))), known(2, 9, 10, length(2)), known(2, 11, 12, length(2))}, ""},
		{"an old value for a new session", []Operation{a, b, known(2, 9, 10, session(read("a")))}, ""},
		{"own write", []Operation{a, b, known(1, 9, 10, session(read("b")))}, ""},
		{"not the own write", []Operation{a, b, known(1, 9, 10, session(read("a")))}, `it does not show that client 1 wrote "b"`},
		{"nothing of the own write", []Operation{a, known(1, 9, 10, session(nothing()))}, "the session went back"},
		{"own write is not answered yet", []Operation{known(1, 1, 20, write("a")), known(1, 9, 10, session(nothing()))}, ""},
		{"own write of unknown outcome", []Operation{with(Unknown, a), known(1, 9, 10, session(nothing()))}, ""},
		{"own write of unknown outcome that another saw", []Operation{with(Unknown, a), known(2, 5, 6, read("a")), known(1, 9, 10, session(nothing()))}, ""},
		{"own write, replaced by another", []Operation{a, known(3, 3, 4, write("c")), known(1, 9, 10, session(read("c")))}, ""},
		{"forward", []Operation{a, b, known(2, 9, 10, session(read("a"))), known(2, 11, 12, session(read("b")))}, ""},
		{"back", []Operation{a, b, known(2, 9, 10, session(read("b"))), known(2, 11, 12, session(read("a")))}, `though before, client 2 read "b"`},
		{"back after an eventual read", []Operation{a, b, known(2, 9, 10, at(LevelEventual, read("b"))), known(2, 11, 12, session(read("a")))}, "the session went back"},
		{"back, and so may an eventual read", []Operation{a, b, known(2, 9, 10, session(read("b"))), known(2, 11, 12, at(LevelEventual, read("a")))}, ""},
		{"another session", []Operation{a, b, known(2, 9, 10, session(read("b"))), known(3, 11, 12, session(read("a")))}, ""},
		{"two at once", []Operation{a, b, known(2, 9, 12, session(read("b"))), known(2, 11, 12, session(read("a")))}, ""},
		{"two writes at once, either way", []Operation{a, known(3, 1, 2, write("c")), known(2, 9, 10, session(read("a"))), known(2, 11, 12, session(read("c")))}, ""},
		{"two writes at once, their order known", []Operation{a, known(3, 1, 2, write("c")), known(4, 3, 4, read("c")), known(2, 9, 10, session(read("c"))), known(2, 11, 12, session(read("a")))}, "went back"},
		{"deleted, or the beginning", []Operation{a, known(3, 3, 4, deleted()), known(2, 9, 10, session(read("a"))), known(2, 11, 12, session(nothing()))}, ""},
		{"not deleted", []Operation{a, known(2, 9, 10, session(read("a"))), known(2, 11, 12, session(nothing()))}, "went back"},
		{"a count goes back", []Operation{known(1, 1, 2, add(1, 1)), known(2, 9, 10, session(count(1))), known(2, 11, 12, session(count(0)))}, "went back"},
		{"a set loses a member", []Operation{known(1, 1, 2, insert("a")), known(2, 9, 10, session(members("a"))), known(2, 11, 12, session(members()))}, "went back"},
		{"own removal", []Operation{known(1, 1, 2, insert("a")), known(2, 3, 4, remove("a")), known(2, 11, 12, session(members("a")))}, `removed "a"`},
		{"a list loses an element", []Operation{known(1, 1, 2, push(true, "a", 1)), known(2, 9, 10, session(elements("a"))), known(2, 11, 12, session(elements()))}, "went back"},
		{"an older value's end explains nothing", []Operation{a, b, expiry(5, "a"), known(1, 9, 10, session(nothing()))}, "the session went back"},
		{"own value's end", []Operation{a, b, expiry(5, "b"), known(1, 9, 10, session(nothing()))}, ""},
		{"own transaction", []Operation{known(1, 1, 2, exec(in("k", write("a")), in("j", add(1, 1)))), known(1, 9, 10, in("k", session(nothing())))}, "went back"},
		{"own write to another key of the slot, after this one", []Operation{in("a{s}", known(1, 1, 2, write("a"))), in("b{s}", known(2, 3, 4, write("b"))), in("a{s}", known(2, 9, 10, session(nothing())))}, `client 2 wrote "b" between 0.000000 s and 0.000000 s in b{s}`},
		{"seen in another key of the slot", []Operation{in("a{s}", known(1, 1, 2, write("a"))), in("b{s}", known(1, 3, 4, write("b"))), in("b{s}", known(2, 9, 10, session(read("b")))), in("a{s}", known(2, 11, 12, session(nothing())))}, "went back"},
		{"the other key is of another slot", []Operation{in("a{s}", known(1, 1, 2, write("a"))), in("b{t}", known(2, 3, 4, write("b"))), in("a{s}", known(2, 9, 10, session(nothing())))}, ""},
		{"the other key was changed at the same time", []Operation{in("a{s}", known(1, 1, 4, write("a"))), in("b{s}", known(2, 3, 4, write("b"))), in("a{s}", known(2, 9, 10, session(nothing())))}, ""},
		{"the other key was seen older than this one", []Operation{in("b{s}", known(1, 1, 2, write("b"))), in("a{s}", known(1, 3, 4, write("a"))), in("b{s}", known(3, 5, 6, read("b"))), in("b{s}", known(2, 9, 10, session(read("b")))), in("a{s}", known(2, 11, 12, session(nothing())))}, ""},
	})
}

func TestWeakReadsAreJudgedByAllRules(t *testing.T) {
	a, b := known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))
	v := WeakReads([]Operation{a, b, known(2, 9, 10, at(LevelEventual, read("x"))),
		known(1, 11, 12, at(LevelSession, read("a"))), known(2, 5*long, 6*long, bounded(1, read("a")))})
	if len(v.Faults) != 3 {
		t.Errorf("want a fault of each level, got %v", v)
	}
}
