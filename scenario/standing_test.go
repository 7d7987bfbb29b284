package scenario

import "testing"

func TestStandingSince(t *testing.T) {
	before := NewStanding()
	before.Term(0, 3)
	before.Term(1, 7)
	before.Copy(0, 1)
	before.Copy(1, 1)
	now := NewStanding()
	if elections, copies := now.Since(before); elections != 0 || copies != 0 {
		t.Errorf("nobody told anything: %d elections, %d new copies", elections, copies)
	}
	now.Term(0, 5)
	now.Term(0, 4) // by one that is behind
	now.Term(1, 6)
	now.Copy(1, 1)
	now.Copy(1, 4)
	now.Copy(0, 4)
	if elections, copies := now.Since(before); elections != 2 || copies != 2 {
		t.Errorf("%d elections, %d new copies", elections, copies)
	}
}
