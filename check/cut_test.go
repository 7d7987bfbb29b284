package check

import (
	"fmt"
	"testing"
)

// burst is four clients who write and read a key side by side, and then
// one who is alone with it.
func burst(i int64, last Operation) []Operation {
	value := func(n int) string { return fmt.Sprint(4*i + int64(n)) }
	return []Operation{
		known(1, 100*i, 100*i+50, write(value(1))), known(2, 100*i+1, 100*i+51, write(value(2))),
		known(3, 100*i+2, 100*i+52, read(value(1))), known(4, 100*i+3, 100*i+53, read(value(2))),
		known(1, 100*i+60, 100*i+70, last),
	}
}

func TestHistoriesAreCutAtQuietPoints(t *testing.T) {
	stretches := func(history []Operation) int {
		at := connect(history)[0]
		return len(cut(at, at.relevant(), shortestStretch))
	}
	var history []Operation
	for i := range int64(1000) {
		history = append(history, burst(i, read(fmt.Sprint(4*i+2)))...)
	}
	if n := stretches(history); n != 100 {
		t.Errorf("5000 operations are cut into %d stretches", n)
	}
	expect(t, Linearizable(history, EnoughSteps), "")

	open := append(append([]Operation(nil), history...), with(Unknown, known(9, 50_075, 50_076, deleted())), known(9, 200_000, 200_001, nothing()))
	if n := stretches(open); n != 51 {
		t.Errorf("with a change that may still happen in the middle, %d stretches", n)
	}
	expect(t, Linearizable(open, EnoughSteps), "")

	history[3004].Value = fmt.Sprint(4*600 + 7) // what is written only after it
	expect(t, Linearizable(history, EnoughSteps), "this answer fits none: client 1 read \"2407\" between 0.000060 s")
}

// TestFaultsAreFoundInLongHistories plants a fault that only the state carried over a
// cut can tell.
func TestFaultsAreFoundInLongHistories(t *testing.T) {
	var history []Operation
	for i := range int64(3000) {
		history = append(history, known(1, 10*i, 10*i+1, add(1, i+1)), known(2, 10*i+2, 10*i+3, insert(fmt.Sprint(i))))
		history[2*i].Key, history[2*i+1].Key = "counter", "set"
	}
	expect(t, Linearizable(history, EnoughSteps), "")
	history[4000].Total++
	expect(t, Linearizable(history, EnoughSteps), "counter: 2000); this answer fits none: client 1 added 1 and got 2002")
}
