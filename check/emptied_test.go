package check

import "testing"

func TestReadsOfNothingTellWhatCameLast(t *testing.T) {
	a, gone := known(1, 10, 30, write("a")), known(2, 20, 40, deleted())
	empty := known(3, 50, 60, nothing())
	late := known(4, 100_000, 100_001, bounded(1000, read("a")))
	own := func(o Operation) Operation { return at(LevelSession, known(3, 70, 80, o)) }
	judgeLevels(t, WeakReads, []levelTest{
		{"nobody looked between", []Operation{a, gone, late}, ""},
		{"bounded", []Operation{a, gone, empty, late}, "older than its bound"},
		{"bounded, of nothing", []Operation{a, gone, empty, known(4, 100_000, 100_001, bounded(1000, nothing()))}, ""},
		{"session", []Operation{a, gone, empty, own(read("a"))}, "the session went back"},
		{"session, of nothing", []Operation{a, gone, empty, own(nothing())}, ""},
		{"another session", []Operation{a, gone, empty, at(LevelSession, known(5, 70, 80, read("a")))}, ""},
		{"it may not have been written when somebody looked", []Operation{a, gone, known(3, 25, 60, nothing()), late}, ""},
		{"it may have expired", []Operation{a, gone, expiry(15, "a"), empty, late}, ""},
		{"another delete", []Operation{a, gone, with(Unknown, known(5, 1, 2, deleted())), empty, late}, ""},
		{"a delete that came later", []Operation{a, gone, empty, known(5, 90_000, 99_999, deleted()), late}, "older than its bound"},
		{"a delete in a step that wrote as well", []Operation{a, gone, known(3, 50, 60, exec(in("k", deleted()), in("k", nothing()), in("k", write("b")))), known(4, 70, 80, at(LevelEventual, nothing()))}, ""},
		{"a delete that found nothing", []Operation{a, known(2, 20, 40, deletedNothing()), empty, late, own(read("a"))}, ""},
		{"a delete, and one that found nothing", []Operation{a, gone, known(3, 45, 46, deletedNothing()), empty, own(nothing())}, ""},
		{"a stale read of nothing", []Operation{known(2, 1, 2, deletedNothing()), known(1, 10, 20, write("a")), empty, late, own(read("a"))}, ""},
	})
}
