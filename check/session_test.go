package check

import "testing"

func TestSessionsKeepTheOrderThatTheySaw(t *testing.T) {
	session := func(begin int64, o Operation) Operation { return at(LevelSession, known(3, begin, begin+2, o)) }
	eventual := func(begin int64, o Operation) Operation { return at(LevelEventual, known(3, begin, begin+2, o)) }
	a, b := known(1, 10, 30, write("a")), known(2, 20, 40, write("b"))
	both := known(1, 10, 20, exec(in("1{x}", write("a")), in("2{x}", write("b"))))
	first := func(o Operation) Operation { return in("1{x}", o) }
	second := func(o Operation) Operation { return in("2{x}", o) }
	judgeLevels(t, Session, []levelTest{
		{"to and fro", []Operation{a, b, session(50, read("b")), session(60, read("a")), session(70, read("b"))}, "the session went back"},
		{"fro and to", []Operation{a, b, session(50, read("a")), session(60, read("b")), session(70, read("a"))}, "the session went back"},
		{"one after the other", []Operation{a, b, session(50, read("b")), session(60, read("a")), session(70, read("a"))}, ""},
		{"one of them was written again", []Operation{a, b, with(Unknown, known(1, 1, 2, write("b"))), session(50, read("b")), session(60, read("a")), session(70, read("b"))}, ""},
		{"an eventual read may go back between", []Operation{a, b, session(50, read("b")), eventual(60, read("a")), session(70, read("b"))}, ""},
		{"and after an eventual read none may", []Operation{a, b, eventual(50, read("b")), session(60, read("a")), session(70, read("b"))}, "the session went back"},
		{"two reads at once", []Operation{a, b, session(50, read("b")), session(51, read("a")), session(70, read("b"))}, ""},
		{"the own write, the other, and the own again", []Operation{in("k", known(3, 10, 30, write("a"))), b, session(50, read("b")), session(60, read("a"))}, "the session went back"},
		{"the other client's reads are its own", []Operation{a, b, session(50, read("b")), session(60, read("a")), at(LevelSession, known(4, 70, 71, read("b")))}, ""},
		{"a stale read between is Linearizable's", []Operation{a, b, known(3, 50, 52, read("b")), known(3, 60, 62, read("a")), session(70, read("b"))}, ""},
		{"the other part of a step", []Operation{both, first(session(50, read("a"))), second(session(60, nothing()))}, "the session went back"},
		{"the other part of a step, too", []Operation{both, first(session(50, read("a"))), second(session(60, read("b")))}, ""},
		{"neither part of a step", []Operation{both, first(session(50, nothing())), second(session(60, nothing()))}, ""},
		{"the other part of a step, replaced", []Operation{both, second(known(1, 30, 40, deleted())), first(session(50, read("a"))), second(session(60, nothing()))}, ""},
		{"the part of another slot", []Operation{known(1, 10, 20, exec(in("1{x}", write("a")), in("2{y}", write("b")))), first(session(50, read("a"))), in("2{y}", session(60, nothing()))}, ""},
	})
}
