package check

import "testing"

// TestAWrongReadAccusesNoOther: Linearizable finds a stale read, and it says nothing about others.
func TestAWrongReadAccusesNoOther(t *testing.T) {
	one, two := known(1, 10, 20, write("1")), known(1, 30, 40, write("2"))
	stale := known(2, 50, 60, read("1"))
	right := []Operation{one, two, stale,
		known(3, 22, 25, at(LevelEventual, read("1"))),
		known(4, 70, 71, at(LevelEventual, read("2"))), known(5, 72, 73, bounded(1, read("2"))), known(6, 74, 75, at(LevelSession, read("2")))}
	beside := []Operation{known(1, 10, 30, write("a")), known(2, 20, 40, write("b")), known(3, 50, 60, read("b")), known(4, 70, 80, read("a")),
		known(5, 90, 91, bounded(1, read("b"))), known(3, 92, 93, at(LevelSession, read("b")))}
	judgeLevels(t, WeakReads, []levelTest{
		{"a stale read", right, ""},
		{"a stale read, and a session that went back", append(right[:len(right):len(right)], known(6, 76, 77, at(LevelSession, read("1")))), "the session went back"},
		{"a stale read, and one too old", append(right[:len(right):len(right)], known(6, 76, 77, bounded(1, read("1")))), "older than its bound"},
		{"a stale read of one of two at once", beside, ""},
		{"one of two at once, read twice", append(beside[:3:3], beside[4:]...), ""},
		{"one of two at once, and the other later", append(beside[:3:3], known(5, 90, 91, bounded(1, read("a")))), "older than its bound"},
	})
	expect(t, Linearizable(right, EnoughSteps), "no order explains")
	expect(t, Linearizable(beside, EnoughSteps), "no order explains")
}
