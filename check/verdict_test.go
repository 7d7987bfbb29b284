package check

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestVerdictsTellWhatHappenedAround(t *testing.T) {
	second := int64(time.Second)
	late := func(client int, begin, end int64, o Operation) Operation {
		return known(client, 1000*second+begin*second, 1000*second+end*second, o)
	}
	history := []Operation{late(1, 0, 1, write("a")), late(1, 2, 3, write("b")), with(Refused, late(3, 2, 4, write("c"))),
		with(Unknown, late(4, 2, 4, write("d"))), late(2, 5, 6, read("a")), late(1, 7, 8, write("e"))}
	v := Linearizable(history, EnoughSteps)
	want := `BROKEN in 1 places: 4 operations with an answer, 1 with unknown outcome, 1 refused, on 1 keys
- key "k": no order explains the 3 operations until here; this answer fits none: client 2 read "a" between 5.000000 s and 6.000000 s
   client 1 wrote "a" between 0.000000 s and 1.000000 s
   client 1 wrote "b" between 2.000000 s and 3.000000 s
   client 3 wrote "c" between 2.000000 s and 4.000000 s, refused
   client 4 wrote "d" between 2.000000 s and 4.000000 s, outcome unknown
 ▶ client 2 read "a" between 5.000000 s and 6.000000 s`
	if v.String() != want {
		t.Errorf("got\n%s\nwant\n%s", v, want)
	}
}

func TestWindowsAreShortAndHaveTheSource(t *testing.T) {
	history := []Operation{known(1, 1, 2, write("old"))}
	for i := range int64(100) {
		history = append(history, known(1, 10*i+10, 10*i+11, write("new")))
	}
	history = append(history, known(2, 2000, 2001, read("old")))
	v := Linearizable(history, EnoughSteps)
	if text := v.String(); strings.Count(text, "\n") != 2+windowSize || !strings.Contains(text, `wrote "old"`) {
		t.Error(text)
	}
}

func TestFaultsCanBeDrawn(t *testing.T) {
	history := []Operation{known(1, 1, 2, exec(in("k", write("a")), in("l", push(true, "x", 1)))), known(2, 3, 4, read("b"))}
	var page bytes.Buffer
	if err := Linearizable(history, EnoughSteps).Picture(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<html", `read \"b\"`, `k: \"a\", l: [\"x\"]`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the picture has no %s", want)
		}
	}
	if err := Linearizable(history[:1], EnoughSteps).Picture(&page); !errors.Is(err, ErrNoPicture) {
		t.Error(err)
	}
}

// TestEndingsShowWhereValuesAreFrom: where the end is wrong, the operations that stored or took what
// is there are told, however long ago they were.
func TestEndingsShowWhereValuesAreFrom(t *testing.T) {
	history := []Operation{known(1, 1, 2, push(true, "a", 1)), known(2, 3, 4, pop(PopLeft, "a"))}
	for i := range int64(30) {
		history = append(history, known(1, 10*i+10, 10*i+11, at(LevelEventual, elements())))
	}
	v := Durable(history, map[string]Final{"k": {Values: []string{"a"}}})
	text := v.String()
	if strings.Count(text, "\n") != 1+windowSize || !strings.Contains(text, `client 1 pushed right "a"`) || !strings.Contains(text, `client 2 popped left "a"`) {
		t.Error(text)
	}
}

// TestKeysAreNamedWhereThereAreSeveral: where a fault is of several keys, each line says of which.
func TestKeysAreNamedWhereThereAreSeveral(t *testing.T) {
	history := []Operation{known(1, 1, 2, exec(in("a", write("1")), in("b", write("1")))), on("a", 2, 3, 4, write("2")),
		on("b", 2, 5, 6, deleted()), on("b", 3, 7, 8, read("1")), on("c", 3, 7, 8, read("other"))}
	v := Linearizable(history, EnoughSteps)
	text := v.String()
	for _, want := range []string{`keys ["a" "b"]`, `this answer fits none: client 3 read "1" (key "b") between`, `client 2 wrote "2" (key "a") between`,
		`client 2 deleted it (key "b") between`, `client 1 in one step {a: wrote "1"; b: wrote "1"} between`, ` ▶ client 3 read "1" (key "b") between`,
		` ▶ client 3 read "other" between`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\nlacks %s", text, want)
		}
	}
	var page bytes.Buffer
	if err := v.Picture(&page); err != nil || !strings.Contains(page.String(), `deleted it (key \"b\")`) {
		t.Errorf("the picture does not name the keys: %v", err)
	}
}
