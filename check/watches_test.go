package check

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestWatchesNoticeWhatCameBetween(t *testing.T) {
	aborted := exec(in("a", write("x")))
	aborted.Changed = false
	gone := Operation{Kind: Delete, Changed: true}
	late := known(1, 20, 21, exec(in("b", write("2"))))
	tests := []struct {
		name    string
		between Operation
		isFault bool
	}{
		{"another client's write", on("a", 2, 11, 19, write("x")), true},
		{"a delete of something", on("a", 2, 11, 19, gone), true},
		{"a delete of nothing", on("a", 2, 11, 19, Operation{Kind: Delete}), false},
		{"an addition", on("a", 2, 11, 19, add(1, 1)), true},
		{"a transaction", known(2, 11, 19, exec(in("b", write("1")), in("a", write("x")))), true},
		{"a transaction that gave up", known(2, 11, 19, aborted), false},
		{"a read", on("a", 2, 11, 19, nothing()), false},
		{"another key", on("b", 2, 11, 19, write("x")), false},
		{"beside WATCH", on("a", 2, 10, 19, write("x")), false},
		{"beside EXEC", on("a", 2, 11, 20, write("x")), false},
		{"of unknown outcome", with(Unknown, on("a", 2, 11, 19, write("x"))), false},
		{"refused", with(Refused, on("a", 2, 11, 19, write("x"))), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			history := []Operation{on("a", 2, 1, 2, write("old")), test.between, on("b", 3, 12, 13, write("not shown")), late}
			v := Watches(history, []Watched{{Operation: late, Keys: []string{"a"}, Since: 10}})
			if v.OK() == test.isFault {
				t.Fatal(v)
			}
			for _, want := range []string{"client 1 watched a from", "   client 2 wrote \"old\"", " ▶ client 2 ", ` ▶ client 1 in one step {b: wrote "2"}`} {
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

// TestManyWatchesAreLookedAtOnce: each only at what changed its keys since then. To look at all of
// the history for each of them would be 4e10 steps, which is minutes.
func TestManyWatchesAreLookedAtOnce(t *testing.T) {
	const many = 200_000
	history := make([]Operation, many)
	watched := make([]Watched, many)
	for i := range history {
		at := int64(10 * i)
		key := "k" + strconv.Itoa(i%1000)
		history[i] = on(key, 1, at+1, at+2, write("x"))
		watched[i] = Watched{Operation: known(2, at+5, at+6, exec(in("b", write("2")))), Keys: []string{key}, Since: at + 3}
	}
	slices.Reverse(history) // whose order is not that of time
	if v := Watches(history, watched); !v.OK() {
		t.Error(v)
	}
	watched[many/2].Since -= 3
	if v := Watches(history, watched); len(v.Faults) != 1 {
		t.Error(v)
	}
}

// TestPartsOfWhatWasNotDoneAreNotTold: as if they had been.
func TestPartsOfWhatWasNotDoneAreNotTold(t *testing.T) {
	aborted := exec(in("a", add(4, 0)))
	aborted.Changed = false
	v := Durable([]Operation{known(1, 1, 2, aborted), on("a", 2, 3, 4, add(1, 1))}, map[string]Final{"a": {Total: 5}})
	if text := v.String(); v.OK() || strings.Contains(text, "added 4") || !strings.Contains(text, "   client 2 added 1 and got 1") {
		t.Error(v)
	}
}
