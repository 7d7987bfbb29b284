package queuetab

import (
	"strings"
	"testing"

	"flotilla"
	"flotilla/queue"
)

// step is one that a node noted at a second.
func step(node flotilla.NodeID, second int64, kind queue.Kind, name string, token uint64) Step {
	return Step{Node: node, Happening: queue.Happening{AtMicros: second * 1e6, Kind: kind, Queue: name, Token: token}}
}

func told(steps []Step) string {
	var words []string
	for _, s := range steps {
		word := s.Queue + ":" + s.Kind.String()
		if s.IsVoid {
			word = "(" + word + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// TestNoEffectBeforeItsCause arranges what nodes with wrong clocks noted.
func TestNoEffectBeforeItsCause(t *testing.T) {
	dead := step(1, 8, queue.KindDead, "q", 20)
	dead.To = "graves"
	again := dead
	again.Node = 2 // each replica tells of it
	refused := step(2, 3, queue.KindExtended, "q", 10)
	refused.Code = queue.CodeLeaseSuperseded
	gone := step(2, 3, queue.KindFinished, "q", 20)
	gone.Code = queue.CodeMessageGone
	arrived := step(3, 0, queue.KindArrived, "graves", 0)
	arrived.To = "q"
	for _, test := range []struct {
		name  string
		steps []Step
		want  string
	}{
		{"a receiver whose clock is behind", []Step{step(2, 1, queue.KindLeased, "q", 10), step(1, 5, queue.KindSent, "q", 0), step(2, 2, queue.KindFinished, "q", 10)},
			"q:sent q:leased q:finished"},
		{"leases by tokens", []Step{step(3, 2, queue.KindLeased, "q", 20), step(1, 5, queue.KindSent, "q", 0), step(2, 9, queue.KindLeased, "q", 10), step(2, 1, queue.KindLapsed, "q", 10), step(3, 3, queue.KindReleased, "q", 20)},
			"q:sent q:leased q:lapsed q:leased q:released"},
		{"a worker that is late", []Step{step(1, 1, queue.KindSent, "q", 0), step(1, 2, queue.KindLeased, "q", 10), step(1, 4, queue.KindLeased, "q", 20), step(1, 5, queue.KindFinished, "q", 10), refused, step(1, 6, queue.KindFinished, "q", 20), step(1, 7, queue.KindFinished, "q", 20)},
			"q:sent q:leased q:leased (q:extended) (q:finished) q:finished (q:finished)"},
		{"one who is told that it is gone", []Step{dead, gone, step(1, 1, queue.KindSent, "q", 0), step(1, 7, queue.KindLeased, "q", 20)},
			"q:sent q:leased q:dead (q:finished)"},
		{"the machine is quicker than its reply", []Step{dead, step(1, 9, queue.KindReleased, "q", 20), step(1, 1, queue.KindSent, "q", 0), step(1, 7, queue.KindLeased, "q", 20), again},
			"q:sent q:leased q:released q:dead"},
		{"a grave whose clock is behind", []Step{step(3, -1, queue.KindLeased, "graves", 5), arrived, dead, step(1, 1, queue.KindSent, "q", 0), step(1, 7, queue.KindLeased, "q", 20)},
			"q:sent q:leased q:dead graves:arrived graves:leased"},
		{"a purge before, and one after", []Step{step(1, 0, queue.KindPurged, "q", 0), step(1, 1, queue.KindSent, "q", 0), step(2, 5, queue.KindPurged, "q", 0), step(2, 6, queue.KindPurged, "q", 0)},
			"q:sent q:purged"},
		{"a purge after the end", []Step{step(1, 1, queue.KindSent, "q", 0), step(1, 2, queue.KindLeased, "q", 10), step(1, 3, queue.KindFinished, "q", 10), step(2, 5, queue.KindPurged, "q", 0)},
			"q:sent q:leased q:finished"},
		{"a purge of others", []Step{step(2, 5, queue.KindPurged, "q", 0)}, ""},
		{"sent twice", []Step{step(1, 1, queue.KindSent, "q", 0), step(1, 2, queue.KindLeased, "q", 10), step(1, 3, queue.KindRepeated, "q", 0), step(1, 4, queue.KindReleased, "q", 10)},
			"q:sent q:leased q:repeated q:released"},
	} {
		for range 5 { // the order in which nodes answer is any
			if got := told(arrange(test.steps)); got != test.want {
				t.Errorf("%s: %s, not %s", test.name, got, test.want)
			}
			test.steps = append(test.steps[1:], test.steps[0])
		}
	}
}

// TestEveryStepHasWords for each kind, and for each way to be refused.
func TestEveryStepHasWords(t *testing.T) {
	for kind := range 256 {
		k := queue.Kind(kind)
		if k.String() == "" {
			continue
		}
		s := step(2, 1, k, "mail", 7)
		s.By, s.To, s.Until = queue.Caller{Address: "10.0.0.7:4711", Key: "alice"}, "graves", 4000
		text := say(&s)
		if strings.Contains(text, "no words") || !strings.HasSuffix(text, ".") || !k.IsOfMachine() && !strings.HasPrefix(text, "10.0.0.7:4711 (alice), by way of n2, ") {
			t.Errorf("%v: %s", k, text)
		}
	}
	late := step(2, 1, queue.KindFinished, "mail", 7)
	late.IsVoid = true
	for _, code := range []string{"", queue.CodeOutcomeUnknown, queue.CodeNotCarriedOut, queue.CodeLeaseSuperseded, queue.CodeLeaseOver, queue.CodeMessageGone, "Other"} {
		late.Code = code
		if text := say(&late); !strings.Contains(text, "But ") || strings.Contains(text, "The message was deleted") {
			t.Errorf("%q: %s", code, text)
		}
	}
	leased := step(1, 10, queue.KindLeased, "mail", 7)
	leased.Until, leased.By = 40_000, queue.Caller{Address: "127.0.0.1:5", Key: sender}
	if text := say(&leased); text != "A page of the console, at 127.0.0.1:5, by way of n1, received it, with a lease of 30 s. Until that ends, nobody else is given it." {
		t.Error(text)
	}
}
