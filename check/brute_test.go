package check

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// bruteForce tries every order of a short history on a toy store. It leaves nothing
// out and knows no tricks; it is what Linearizable must agree with.
func bruteForce(left []Operation, s *toy) bool {
	isDone := true
	firstEnd := int64(never)
	for _, o := range left {
		if o.Outcome == Known && !o.isAborted() {
			isDone = false
			firstEnd = min(firstEnd, o.End)
		}
	}
	if isDone {
		return true
	}
	for i, o := range left {
		if o.Begin > firstEnd || o.Outcome == Refused || o.isAborted() {
			continue
		}
		next, answered := s.clone(), o
		next.do(&answered)
		if o.Outcome == Known && fmt.Sprint(answered) != fmt.Sprint(o) {
			continue
		}
		rest := append(append([]Operation(nil), left[:i]...), left[i+1:]...)
		if bruteForce(rest, next) {
			return true
		}
	}
	return false
}

// corrupt changes one answer, perhaps to another possible one.
func corrupt(history []Operation, chance *rand.Rand) {
	o := &history[chance.IntN(len(history))]
	if o.Kind == Transaction && o.Outcome == Known && len(o.Parts) > 0 {
		o = &o.Parts[chance.IntN(len(o.Parts))]
	}
	switch {
	case o.IsRead() && len(o.Values) > 1:
		o.Values = o.Values[1:]
	case o.Kind == Read:
		o.Value, o.Found = fmt.Sprint(chance.IntN(9)), true
	case o.Kind == Insert, o.Kind == Remove, o.Kind == Delete:
		o.Changed = !o.Changed
	case o.Kind == PopLeft || o.Kind == PopRight:
		o.Value = fmt.Sprint(chance.IntN(9))
	case o.stores() && familyOf(o.Kind) == list, familyOf(o.Kind) == counter, o.Kind == Length:
		o.Total += chance.Int64N(3) - 1
	}
}

func TestLinearizableAgreesWithBruteForce(t *testing.T) {
	agreesWithBruteForce(t, 3000, 300, func(seed uint64) (history []Operation, want bool) {
		c := newToyCluster(seed, []string{"", "forget", "twice", "refused", "half"}[seed%5], 3)
		for _, o := range c.run(24) {
			if !o.isWeakRead() && len(history) < 9 {
				history = append(history, o)
			}
		}
		if seed%2 == 0 && len(history) > 0 {
			corrupt(history, c.chance)
		}
		return history, bruteForce(history, newToy())
	})
}

// agreesWithBruteForce has short histories made, and says where Linearizable is of another
// opinion. Of 500 and least of them it must have said yes and no.
func agreesWithBruteForce(t *testing.T, seeds uint64, least int, history func(seed uint64) ([]Operation, bool)) {
	t.Helper()
	good, bad := 0, 0
	for seed := range seeds {
		all, want := history(seed)
		if len(all) == 0 {
			continue
		}
		if v := linearizable(all, EnoughSteps, 1+int(seed%3)); v.OK() != want {
			t.Fatalf("seed %d: brute force says %v, %v\n%+v", seed, want, v, all)
		}
		if want {
			good++
		} else {
			bad++
		}
	}
	t.Logf("%d good, %d bad", good, bad)
	if good < 500 || bad < least {
		t.Errorf("%d good and %d bad histories: too few of a kind", good, bad)
	}
}
