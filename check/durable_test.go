package check

import (
	"strings"
	"testing"
)

func TestDurableJudgesWhatIsLeft(t *testing.T) {
	tests := []struct {
		name    string
		history []Operation
		final   Final
		fault   string
	}{
		{"last write is there", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))}, Final{Found: true, Value: "b"}, ""},
		{"older write is there", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, write("b"))}, Final{Found: true, Value: "a"}, "lost"},
		{"either of two side by side", []Operation{known(1, 1, 5, write("a")), known(2, 2, 4, write("b"))}, Final{Found: true, Value: "a"}, ""},
		{"unknown write is there", []Operation{with(Unknown, known(1, 1, 2, write("a"))), known(1, 3, 4, write("b"))}, Final{Found: true, Value: "a"}, ""},
		{"refused write is there", []Operation{with(Refused, known(1, 1, 2, write("a")))}, Final{Found: true, Value: "a"}, "nobody wrote"},
		{"write is gone", []Operation{known(1, 1, 2, write("a"))}, Final{}, "nothing is there"},
		{"write is deleted", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, deleted())}, Final{}, ""},
		{"a stale read is no lost delete", []Operation{known(1, 0, 10, write("a")), known(1, 20, 30, deleted()), known(2, 40, 50, read("a"))}, Final{}, ""},
		{"deleted write is back", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, deleted())}, Final{Found: true, Value: "a"}, "lost"},
		{"swap is there", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, swap("a", "b"))}, Final{Found: true, Value: "b"}, ""},
		{"swap is lost", []Operation{known(1, 1, 2, write("a")), known(1, 3, 4, swap("a", "b"))}, Final{Found: true, Value: "a"}, "lost"},
		{"count is right", []Operation{known(1, 1, 2, add(2, 2)), with(Unknown, known(1, 3, 4, add(1, 0)))}, Final{Total: 3}, ""},
		{"count is too low", []Operation{known(1, 1, 2, add(2, 2))}, Final{Total: 1}, "makes it 2 to 2"},
		{"count is too high", []Operation{known(1, 1, 2, add(2, 2)), with(Refused, known(1, 3, 4, add(1, 0)))}, Final{Total: 3}, "makes it 2 to 2"},
		{"clients were told of more than was asked for", []Operation{known(1, 1, 2, add(1, 4))}, Final{Total: 1}, "told that it is at least 4, and asked for no more than 1"},
		{"members are there", []Operation{known(1, 1, 2, insert("a")), with(Unknown, known(1, 1, 2, insert("b")))}, Final{Values: []string{"b", "a"}}, ""},
		{"member is lost", []Operation{known(1, 1, 2, insert("a"))}, Final{}, "lost"},
		{"member was removed", []Operation{known(1, 1, 2, insert("a")), with(Unknown, known(1, 3, 4, remove("a")))}, Final{}, ""},
		{"a write that was seen", []Operation{with(Unknown, known(1, 1, 2, write("a"))), known(2, 3, 4, at(LevelEventual, read("a")))}, Final{}, "that somebody had seen is lost"},
		{"a write that was seen, replaced by what was before", []Operation{known(1, 1, 2, write("a")), with(Unknown, known(1, 3, 4, write("b"))), known(2, 5, 6, read("b"))}, Final{Found: true, Value: "a"}, "that somebody had seen is lost"},
		{"count that somebody saw", []Operation{with(Unknown, known(1, 1, 2, add(1, 0))), known(1, 3, 4, add(1, 2))}, Final{Total: 1}, "makes it 2 to 2"},
		{"count that a weak read saw", []Operation{with(Unknown, known(1, 1, 2, add(1, 0))), known(1, 3, 4, at(LevelEventual, count(1)))}, Final{}, "makes it 1 to 1"},
		{"counter was deleted", []Operation{known(1, 1, 2, add(2, 2)), known(1, 3, 4, deleted()), known(1, 5, 6, add(1, 1))}, Final{Total: 3}, "makes it 1 to 1"},
		{"member is back", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, remove("a"))}, Final{Values: []string{"a"}}, "removed after all"},
		{"member was put back", []Operation{known(1, 1, 2, insert("a")), known(1, 3, 4, remove("a")), known(1, 5, 6, insert("a"))}, Final{}, "lost"},
		{"list is there", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2)), known(1, 5, 6, pop(PopLeft, "a"))}, Final{Values: []string{"b"}}, ""},
		{"element is lost", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2))}, Final{Values: []string{"b"}}, "nobody popped it"},
		{"element may have been popped", []Operation{known(1, 1, 2, push(true, "a", 1)), with(Unknown, known(1, 3, 4, pop(PopLeft, "")))}, Final{}, ""},
		{"one pop, two gone", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 1, 2, push(true, "b", 2)), with(Unknown, known(1, 3, 4, pop(PopLeft, "")))}, Final{}, "2 elements are missing"},
		{"popped element is back", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, pop(PopLeft, "a"))}, Final{Values: []string{"a"}}, "can be 0 times"},
		{"element is there twice", []Operation{with(Unknown, known(1, 1, 2, push(true, "a", 1)))}, Final{Values: []string{"a", "a"}}, "can be 1 times"},
		{"list is in disorder", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, push(true, "b", 2))}, Final{Values: []string{"b", "a"}}, `"a" was pushed right before "b"`},
		{"list is in disorder on the left", []Operation{known(1, 1, 2, push(false, "a", 1)), known(1, 3, 4, push(false, "b", 2))}, Final{Values: []string{"a", "b"}}, `"a" was pushed left before "b"`},
		{"list has its ends crossed", []Operation{known(1, 1, 2, push(false, "a", 1)), known(1, 3, 4, push(true, "b", 2))}, Final{Values: []string{"b", "a"}}, `"a" was pushed left and is right of "b"`},
		{"list was deleted", []Operation{known(1, 1, 2, push(true, "a", 1)), known(1, 3, 4, deleted())}, Final{}, ""},
		{"list was deleted before", []Operation{known(1, 1, 2, deletedNothing()), known(1, 3, 4, push(true, "a", 1))}, Final{}, "lost"},
		{"member was refused", []Operation{with(Refused, known(1, 1, 2, insert("a")))}, Final{Values: []string{"a"}}, "refused or never asked for"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := Durable(test.history, map[string]Final{"k": test.final})
			expect(t, v, test.fault)
			for _, fault := range v.Faults {
				if !strings.Contains(fault, "\n   client") && !strings.Contains(fault, "\n ▶ client") {
					t.Errorf("what happened around it is not told: %s", fault)
				}
			}
		})
	}
	expect(t, Durable([]Operation{known(1, 1, 2, write("a"))}, nil), "") // who could not read it says so
	both := []Operation{known(1, 1, 2, exec(in("a", write("1")), in("b", insert("2"))))}
	expect(t, Durable(both, map[string]Final{"a": {Found: true, Value: "1"}, "b": {}}), `key "b": an acknowledged write is lost`)
}
