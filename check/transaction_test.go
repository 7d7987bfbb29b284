package check

import (
	"fmt"
	"testing"
)

func TestTransactionsAreOneStep(t *testing.T) {
	both := exec(in("a", write("1")), in("b", write("1")))
	readBoth := func(a, b Operation) Operation { return exec(in("a", a), in("b", b)) }
	watched := func(guard Operation) Operation { return watching(exec(in("b", write("2"))), in("a", guard)) }
	gaveUp := watched(nothing())
	gaveUp.Changed = false
	tests := []struct {
		name    string
		history []Operation
		fault   string
	}{
		{"all of it", []Operation{known(1, 1, 2, both), known(2, 3, 4, readBoth(read("1"), read("1")))}, ""},
		{"half of it", []Operation{known(1, 1, 2, both), known(2, 3, 4, readBoth(read("1"), nothing()))}, "in one step {a: read"},
		{"half of it, beside it", []Operation{known(1, 1, 9, both), known(2, 3, 4, readBoth(nothing(), read("1")))}, "no order explains"},
		{"one after the other, beside it", []Operation{known(1, 1, 9, both), on("a", 2, 3, 4, nothing()), on("b", 2, 5, 6, read("1"))}, ""},
		{"the other before the one, beside it", []Operation{known(1, 1, 9, both), on("b", 2, 3, 4, read("1")), on("a", 2, 5, 6, nothing())}, "no order explains"},
		{"each half may be right and not both", []Operation{known(1, 1, 9, both), on("a", 2, 1, 9, write("2")), on("b", 2, 1, 9, write("2")),
			known(3, 10, 11, readBoth(read("1"), read("2")))}, ""},
		{"unknown, all of it", []Operation{with(Unknown, known(1, 1, 2, both)), known(2, 3, 4, readBoth(read("1"), read("1")))}, ""},
		{"unknown, none of it", []Operation{with(Unknown, known(1, 1, 2, both)), known(2, 3, 4, readBoth(nothing(), nothing()))}, ""},
		{"unknown, half of it", []Operation{with(Unknown, known(1, 1, 2, both)), on("a", 2, 3, 4, read("1")), on("b", 2, 5, 6, nothing())}, "no order explains"},
		{"refused", []Operation{with(Refused, known(1, 1, 2, both)), on("a", 2, 3, 4, read("1"))}, "was refused"},
		{"parts see each other", []Operation{known(1, 1, 2, exec(in("c", add(1, 1)), in("c", add(1, 2)), in("c", count(2))))}, ""},
		{"parts see others", []Operation{known(1, 1, 9, exec(in("c", add(1, 1)), in("c", add(1, 3)))), on("c", 2, 2, 3, add(1, 2))}, "no order explains"},
		{"watched and unchanged", []Operation{on("a", 1, 1, 2, write("1")), known(1, 3, 4, watched(read("1")))}, ""},
		{"watched and changed", []Operation{on("a", 1, 1, 2, write("1")), known(1, 3, 4, watched(nothing()))}, "watching {a: read nothing}"},
		{"gave up", []Operation{known(1, 1, 2, gaveUp), on("b", 1, 3, 4, nothing())}, ""},
		{"gave up and did it", []Operation{known(1, 1, 2, gaveUp), on("b", 1, 3, 4, read("2"))}, "no order explains"},
		{"unknown, and the guard did not hold", []Operation{on("a", 1, 1, 2, write("1")), with(Unknown, known(1, 3, 4, watched(nothing()))), on("b", 1, 5, 6, read("2"))}, "no order explains"},
		{"two types", []Operation{known(1, 1, 2, both), on("b", 1, 3, 4, add(1, 1))}, `key "b" is used as two different types`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, Linearizable(test.history, EnoughSteps), test.fault) })
	}
}

// on is known with another key.
func on(key string, client int, begin, end int64, o Operation) Operation {
	return in(key, known(client, begin, end, o))
}

func TestOnlySoManyKeysAreConnected(t *testing.T) {
	var history []Operation
	for i := range int64(MaxTogether) {
		from, to := fmt.Sprint(i), fmt.Sprint(i+1)
		history = append(history, known(1, 2*i, 2*i+1, exec(in(from, deletedNothing()), in(to, deletedNothing()))))
	}
	expect(t, Linearizable(history[1:], EnoughSteps), "")
	expect(t, Linearizable(history, EnoughSteps), "17 keys are connected by transactions")
	history[4] = with(Refused, history[4]) // it connects nothing
	expect(t, Linearizable(history, EnoughSteps), "")
	history[4] = at(LevelEventual, known(1, 8, 9, exec(in("4", nothing()), in("5", nothing()))))
	expect(t, Linearizable(history, EnoughSteps), "")
}
