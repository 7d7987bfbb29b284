package check

import (
	"strconv"
	"strings"
	"testing"
)

func TestWhoGivesUpNeedsAReason(t *testing.T) {
	aborted := exec(in("a", write("x")))
	aborted.Changed = false
	gaveUp := known(1, 10, 21, Operation{Kind: CompareAndSet, Key: "a", Value: "mine", Expect: "old"})
	tests := []struct {
		name    string
		beside  Operation
		isFault bool
	}{
		{"another client's write", on("a", 2, 11, 19, write("x")), false},
		{"of the second key", on("b", 2, 11, 19, write("x")), false},
		{"of another key", on("c", 2, 11, 19, write("x")), true},
		{"before WATCH", on("a", 2, 3, 9, write("x")), true},
		{"beside WATCH", on("a", 2, 3, 10, write("x")), false},
		{"beside EXEC's answer", on("a", 2, 21, 30, write("x")), false},
		{"after EXEC's answer", on("a", 2, 22, 30, write("x")), true},
		{"of unknown outcome, long before", with(Unknown, on("a", 2, 3, 4, write("x"))), false},
		{"of unknown outcome, after it", with(Unknown, on("a", 2, 22, 23, write("x"))), true},
		{"refused", with(Refused, on("a", 2, 11, 19, write("x"))), true},
		{"a delete", on("a", 2, 11, 19, Operation{Kind: Delete}), false},
		{"an expiry", with(Unknown, on("a", 2, 5, 5, Operation{Kind: Expire, Value: "old"})), false},
		{"a read", on("a", 2, 11, 19, read("old")), true},
		{"reads in one step", known(2, 11, 19, exec(in("a", read("old")))), true},
		{"one step, its second part", known(2, 11, 19, exec(in("c", write("1")), in("b", write("x")))), false},
		{"one step that gave up", known(2, 11, 19, aborted), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			history := []Operation{on("a", 2, 1, 2, write("old")), test.beside, on("d", 3, 12, 13, write("not shown")), gaveUp}
			v := GaveUp(history, []Watched{{Operation: gaveUp, Keys: []string{"a", "b"}, Since: 10}})
			if v.OK() == test.isFault {
				t.Fatal(v)
			}
			for _, want := range []string{`client 1 watched ["a" "b"] from`, "gave up, though nobody", `   client 2 wrote "old"`, " ▶ client 1 "} {
				if test.isFault && !strings.Contains(v.String(), want) {
					t.Errorf("%v\nlacks %s", v, want)
				}
			}
			if strings.Contains(v.String(), "not shown") {
				t.Error("other keys are shown: ", v)
			}
		})
	}
}

// TestManyThatGaveUpAreLookedAtOnce: each for the latest change only, which mostly is the reason.
func TestManyThatGaveUpAreLookedAtOnce(t *testing.T) {
	const many = 200_000
	history := make([]Operation, many)
	gaveUp := make([]Watched, many)
	for i := range history {
		at := int64(10 * i)
		history[i] = on("k", 1, at+1, at+2, write(strconv.Itoa(i)))
		gaveUp[i] = Watched{Operation: known(2, at, at+3, exec(in("b", write("2")))), Keys: []string{"k"}, Since: at}
	}
	if v := GaveUp(history, gaveUp); !v.OK() {
		t.Error(v)
	}
}
