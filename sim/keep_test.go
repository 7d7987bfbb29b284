package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flotilla/check"
	"flotilla/scenario"
)

// hopeless is a plan that no cluster can keep: a node that was just cut off shall be as the
// others again within a millisecond.
const hopeless = `name hopeless
groups 1
for 3s
calm 1ms
think 0s to 20ms
load set 50% get 50% over 5 keys
at 1s isolate n3
`

// kept returns a file that was kept.
func kept(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatFailedIsKept: of a life that found something, what is needed to look into it; and
// the plan that is kept gives the same life.
func TestWhatFailedIsKept(t *testing.T) {
	for _, tier := range tiers() {
		plan, err := scenario.Parse(hopeless)
		if err != nil {
			t.Fatal(err)
		}
		r := Run(Options{Seed: 7, Disk: tier, Plan: plan})
		if r.OK() || len(r.History) < 10 {
			t.Fatalf("%s: %v, with %d operations", tier, r.Faults, len(r.History))
		}
		dir := filepath.Join(t.TempDir(), "made", "for it")
		if err := r.Keep(dir); err != nil {
			t.Fatal(err)
		}
		what, _, _ := strings.Cut(r.Faults[0], "\n")
		text := kept(t, dir, "plan.txt")
		if head := fmt.Sprintf("# %s\n# disk %s seed 7\nname hopeless\n", what, tier); !strings.HasPrefix(text, head) {
			t.Errorf("%s: the plan begins otherwise than\n%s\n%s", tier, head, text)
		}
		if verdict := kept(t, dir, "verdict.txt"); !strings.Contains(verdict, "BROKEN: 1 promises\n- "+what) {
			t.Error(verdict)
		}
		lines := strings.Split(strings.TrimSpace(kept(t, dir, "history.jsonl")), "\n")
		var first check.Operation
		if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != len(r.History) || first.Begin != r.History[0].Begin {
			t.Errorf("%s: %d lines of %d operations, the first %+v, %v", tier, len(lines), len(r.History), first, err)
		}
		again, err := scenario.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if second := Run(Options{Seed: 7, Disk: tier, Plan: again}); second.Trace != r.Trace || second.Faults[0] != r.Faults[0] {
			t.Errorf("%s: the plan that was kept gave another life: %v", tier, second.Faults)
		}
	}
}

// TestOnlyWhatFailedIsLarge: else the memory of a long hunt grows with each life.
func TestOnlyWhatFailedIsLarge(t *testing.T) {
	for _, isOfQueues := range []bool{false, true} {
		if r := Run(Options{Seed: 1, Length: 3_000_000_000, IsOfQueues: isOfQueues}); !r.OK() || len(r.History)+len(r.Queues)+len(r.Verdicts) > 0 {
			t.Errorf("%d and %d operations are kept: %v", len(r.History), len(r.Queues), r.Faults)
		}
	}
}

// TestAWrongAnswerIsKept: what a checker found is kept with the operations around it, and as
// a picture.
func TestAWrongAnswerIsKept(t *testing.T) {
	w := lived(t, "name wrong\nfor 3s\nload set 50% get 50% over 5 keys\n")
	final := w.readAll()
	w.recorder.Do(w.recorder.History()[0], func(o *check.Operation) { // somebody reads what nobody wrote
		*o = check.Operation{Key: o.Key, Kind: check.Read, Value: "invented", Found: true, Outcome: check.Known}
	})
	w.judge(final)
	r := w.result()
	dir := t.TempDir()
	if err := r.Keep(dir); err != nil {
		t.Fatal(err)
	}
	verdict := kept(t, dir, "verdict.txt")
	if !strings.Contains(verdict, `- linearizable: `) || !strings.Contains(verdict, `▶ client 0 read "invented"`) {
		t.Error(verdict)
	}
	if picture := kept(t, dir, "picture.html"); !strings.Contains(picture, "invented") {
		t.Error("the picture does not show the wrong answer")
	}
	if history := []byte(kept(t, dir, "history.jsonl")); bytes.Count(history, []byte("\n")) != len(r.History) || !bytes.Contains(history, []byte("invented")) {
		t.Error("the history lacks the wrong answer")
	}
}

// TestQueuesAreKept: what clients asked of queues is in a file of its own.
func TestQueuesAreKept(t *testing.T) {
	r := Result{Faults: []string{"lost"}, Disk: Memory, Queues: []check.QueueOperation{{Kind: check.Send, Body: "gone"}}}
	dir := t.TempDir()
	if err := r.Keep(dir); err != nil {
		t.Fatal(err)
	}
	if queues := kept(t, dir, "queues.jsonl"); !strings.Contains(queues, `"Body":"gone"`) {
		t.Error(queues)
	}
	if err := r.Keep(filepath.Join(dir, "plan.txt")); err == nil || !strings.HasPrefix(err.Error(), "keep what was found: ") {
		t.Errorf("where a file is in the way: %v", err)
	}
}
