package lab

import (
	"testing"

	"flotilla/scenario"
)

// TestWhenDamageIsOver: of a log, once a later process has opened it; of a table, which nobody has to
// read for long, once it was set aside.
func TestWhenDamageIsOver(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	tests := []struct {
		name           string
		files          []scenario.File // changed after three starts, with one aside
		starts, asides int
		answers        func() bool
		want           bool
	}{
		{"a log, and the process that had it open", []scenario.File{scenario.WAL}, 3, 1, yes, false},
		{"a log, and one that starts", []scenario.File{scenario.WAL}, 4, 1, no, false},
		{"a log, and one that opened it", []scenario.File{scenario.WAL}, 4, 1, yes, true},
		{"a table, and one that did not read it", []scenario.File{scenario.StateTable}, 9, 1, yes, false},
		{"a table that is set aside, before a new start", []scenario.File{scenario.StateTable}, 3, 2, yes, false},
		{"a table that was set aside", []scenario.File{scenario.StateTable}, 4, 2, yes, true},
		{"a table, then a log", []scenario.File{scenario.StateTable, scenario.Tail}, 4, 1, yes, false},
		{"a log, then a table", []scenario.File{scenario.Tail, scenario.StateTable}, 4, 1, yes, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := &damaged{asides: noTable}
			for _, file := range test.files {
				d.changes(file, 3, 1)
			}
			if got := d.isOver(test.starts, test.asides, test.answers); got != test.want {
				t.Error(got)
			}
		})
	}
}
