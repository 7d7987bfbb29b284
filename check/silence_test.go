package check

import (
	"testing"
	"time"
)

// TestSilence: it lasts from the question, or from the answer before, to the next answer.
func TestSilence(t *testing.T) {
	s := Silence{Idle: 5 * time.Second}
	a, other := Asked{Who: 1, Group: 1, Need: Changing}, Asked{Who: 1, Group: 1, Need: FreshReading}
	for _, c := range []struct {
		asked       Asked
		isAnswered  bool
		begin, end  time.Duration
		long, since time.Duration
	}{
		{a, true, 1, 3, 2, 1},
		{a, false, 2, 5, 2, 3},     // of two that overlap, the answer counts
		{other, true, 5, 6, 1, 5},  // another kind ends nothing
		{a, false, 7, 9, 6, 3},     // asked again soon: it goes on
		{a, true, 4, 10, 7, 3},     // a slow answer ends it
		{a, true, 20, 21, 1, 20},   // while nobody asks, nobody is silent
		{a, false, 22, 23, 1, 22},  // and two failures
		{a, false, 40, 41, 1, 40},  // far apart are not one silence
		{a, false, 39, 42, 3, 39},  // who began before comes later
		{other, false, 3, 7, 1, 6}, // began before the answer
	} {
		lull, _ := s.Heard(1, c.asked, c.isAnswered, c.begin*time.Second, c.end*time.Second)
		if want := (Lull{c.long * time.Second, c.since * time.Second}); lull != want {
			t.Errorf("asked at %d, until %d: %v, want %v", c.begin, c.end, lull, want)
		}
	}
}

// TestWhoHangsIsSilent: each question takes its client five seconds, so that each kind is asked too
// rarely to be silent by itself.
func TestWhoHangsIsSilent(t *testing.T) {
	kinds := []Need{Changing, FreshReading, WeakReading}
	for _, c := range []struct {
		name          string
		clients       int // of whom all but the first only think after the first question
		groups        int
		isAnswered    func(i int, need Need) bool
		ofKind, ofAll bool // is silent for longer than a minute
	}{
		{"nothing is answered", 1, 1, func(int, Need) bool { return false }, true, true},
		{"nothing is answered, in many groups", 1, 30, func(int, Need) bool { return false }, false, true},
		{"weak reads are answered", 1, 1, func(_ int, need Need) bool { return need == WeakReading }, true, false},
		{"each is answered sometimes", 1, 1, func(i int, _ Need) bool { return i%4 == 0 }, false, false},
		{"another client is free to ask, and does not", 2, 30, func(int, Need) bool { return false }, false, true},
	} {
		s := Silence{Idle: 5 * time.Second}
		var ofKind, ofAll time.Duration
		now := time.Duration(0)
		for client := range c.clients {
			s.Heard(client, Asked{Who: 1, Need: Changing}, true, 0, 0)
		}
		for i := range 360 {
			begin, a := now, Asked{Who: 1, Group: i / len(kinds) % c.groups, Need: kinds[i%len(kinds)]}
			isAnswered := c.isAnswered(i, a.Need)
			if now += 5 * time.Second; isAnswered {
				now = begin + time.Millisecond
			}
			kind, all := s.Heard(0, a, isAnswered, begin, now)
			ofKind, ofAll = max(ofKind, kind.Long), max(ofAll, all.Long)
			now += 100 * time.Millisecond // it thinks
		}
		if isOfKind, isOfAll := ofKind > time.Minute, ofAll > time.Minute; isOfKind != c.ofKind || isOfAll != c.ofAll {
			t.Errorf("%s: %v without an answer to a kind, %v without any", c.name, ofKind, ofAll)
		}
	}
}

// TestHeld: nobody is free to ask while each client waits in vain.
func TestHeld(t *testing.T) {
	for _, c := range []struct {
		spans map[int][]span
		want  time.Duration
	}{
		{map[int][]span{1: {{0, 3}, {5, 8}, {9, 30}}}, 8},
		{map[int][]span{1: {{0, 3}, {5, 8}, {9, 30}}, 2: {{1, 6}, {7, 10}}}, 5},
		{map[int][]span{1: {{0, 3}, {5, 8}, {9, 30}}, 2: {}}, 0},
	} {
		s := Silence{vain: map[int]map[int][]span{1: c.spans}}
		if got := s.held(1, span{1, 12}); got != c.want {
			t.Errorf("%v: %d, want %d", c.spans, got, c.want)
		}
	}
}
