package check

import "testing"

// deleted found something, deletedNothing did not.
func deleted() Operation        { return Operation{Kind: Delete, Changed: true} }
func deletedNothing() Operation { return Operation{Kind: Delete} }

func TestWhatDeletesAnswerIsJudged(t *testing.T) {
	a := known(1, 1, 2, write("a"))
	const faults = "this answer fits none"
	tests := []struct {
		name    string
		history []Operation
		fault   string
	}{
		{"it was there", []Operation{a, known(1, 3, 4, deleted()), known(1, 5, 6, deletedNothing())}, ""},
		{"it was there, and not for the delete", []Operation{a, known(1, 3, 4, deletedNothing())}, "found nothing to delete"},
		{"nobody wrote it", []Operation{known(1, 1, 2, deleted()), known(1, 3, 4, deleted())}, faults},
		{"two got one value", []Operation{a, known(1, 3, 9, deleted()), known(2, 3, 9, deleted())}, faults},
		{"one of two got it", []Operation{a, known(1, 3, 9, deletedNothing()), known(2, 3, 9, deleted())}, ""},
		{"a write of unknown outcome that nobody else saw", []Operation{with(Unknown, a), known(1, 3, 4, deleted())}, ""},
		{"two writes of unknown outcome, three deletes", []Operation{with(Unknown, a), with(Unknown, known(2, 1, 2, write("b"))), known(1, 3, 4, deleted()),
			known(1, 5, 6, deleted()), known(1, 7, 8, deleted())}, faults},
		{"two writes of unknown outcome, two deletes", []Operation{with(Unknown, a), with(Unknown, known(2, 1, 2, write("b"))), known(1, 3, 4, deleted()),
			known(1, 5, 6, deletedNothing()), known(1, 7, 8, deleted())}, ""},
		{"a delete of unknown outcome was first", []Operation{a, with(Unknown, known(2, 3, 4, deleted())), known(1, 5, 6, deletedNothing())}, ""},
		{"a delete of unknown outcome, and another", []Operation{a, with(Unknown, known(2, 3, 4, deletedNothing())), known(1, 5, 6, deleted())}, ""},
		{"expired", []Operation{a, expiry(3, "a"), known(1, 5, 6, deletedNothing()), known(1, 7, 8, nothing())}, ""},
		{"not expired yet", []Operation{a, expiry(3, "a"), known(1, 5, 6, deleted())}, ""},
		{"expired too early", []Operation{a, expiry(7, "a"), known(1, 5, 6, deletedNothing())}, "found nothing to delete"},
		{"a value of unknown outcome that may expire", []Operation{with(Unknown, a), expiry(1, "a"), known(1, 5, 6, deleted()), known(1, 7, 8, deletedNothing())}, ""},
		{"a counter of nothing is there", []Operation{known(1, 1, 2, add(1, 1)), known(1, 3, 4, add(-1, 0)), known(1, 5, 6, count(0)), known(1, 7, 8, deleted())}, ""},
		{"a counter that nobody counted", []Operation{known(1, 5, 6, count(0)), known(1, 7, 8, deleted())}, faults},
		{"a counter is there", []Operation{known(1, 1, 2, add(1, 1)), known(1, 7, 8, deletedNothing())}, faults},
		{"a set without members is not there", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, remove("a")), known(1, 5, 6, deletedNothing())}, ""},
		{"a set of unknown outcome", []Operation{with(Unknown, known(1, 1, 2, insert("a"))), known(1, 5, 6, deleted())}, ""},
		{"a list is there", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 5, 6, deletedNothing())}, faults},
		{"two expired, and another was deleted", []Operation{with(Unknown, known(2, 0, 1, write("u"))), a, expiry(3, "a"), known(1, 5, 6, deletedNothing()),
			known(1, 7, 8, write("b")), expiry(9, "b"), known(1, 9, 10, deletedNothing()), known(1, 11, 12, write("c")), known(1, 13, 14, deleted())}, ""},
		{"in a transaction", []Operation{a, known(1, 3, 4, exec(in("k", deleted()), in("k", deletedNothing()), in("k", write("b")), in("k", deleted())))}, ""},
		{"in a transaction, wrongly", []Operation{a, known(1, 3, 4, exec(in("k", deleted()), in("k", deleted())))}, faults},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			expect(t, Linearizable(test.history, EnoughSteps), test.fault)
			expect(t, linearizable(test.history, EnoughSteps, 1), test.fault)
		})
	}
}

// TestUnknownWritesBesideDeletesCostLittle: each of many writes may be what a delete found.
func TestUnknownWritesBesideDeletesCostLittle(t *testing.T) {
	var history []Operation
	for i := range int64(30) {
		value := string(rune('a' + i))
		history = append(history, with(Unknown, known(int(i)+5, i, i+1, write(value))), expiry(i, value))
	}
	for i := range int64(30) {
		history = append(history, known(1, 100+2*i, 101+2*i, deleted()))
	}
	expect(t, Linearizable(history, EnoughSteps), "")
	history = append(history, known(1, 200, 201, deleted()))
	expect(t, Linearizable(history, EnoughSteps), "this answer fits none")
}
