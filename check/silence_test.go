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
		long, since := s.Heard(c.asked, c.isAnswered, c.begin*time.Second, c.end*time.Second)
		if long != c.long*time.Second || since != c.since*time.Second {
			t.Errorf("asked at %d, until %d: %v from %v on, want %d from %d on", c.begin, c.end, long, since, c.long, c.since)
		}
	}
}
