package check

import "testing"

func TestReplicasAreCompared(t *testing.T) {
	all := []Replica{{1, 0, 5, 50}, {2, 0, 5, 50}, {3, 0, 5, 50}, {1, 7, 9, 90}, {2, 7, 9, 90}}
	tests := []struct {
		name  string
		plant func(all []Replica) []Replica
		fault string
	}{
		{"equal", func(all []Replica) []Replica { return all }, ""},
		{"equal since earlier", func(all []Replica) []Replica { return append(all, Replica{1, 0, 4, 40}, Replica{3, 0, 4, 40}) }, ""},
		{"one differs", func(all []Replica) []Replica { all[4].Hash++; return all }, "group 7: n1 and n2 are both at 9 and differ: hash 5a and 5b"},
		{"one differed earlier", func(all []Replica) []Replica { return append(all, Replica{1, 0, 4, 40}, Replica{3, 0, 4, 41}) }, "both at 4 and differ"},
		{"one changed without moving", func(all []Replica) []Replica { return append(all, Replica{1, 0, 5, 51}) }, "n1 and n1 are both at 5"},
		{"one is behind", func(all []Replica) []Replica { all[1].Index--; return all }, "n1 is at 5 and n2 at 4"},
		{"one is alone", func(all []Replica) []Replica { return all[:4] }, "compared with nobody"},
		{"none", func([]Replica) []Replica { return nil }, "no replica was given"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, Replicas(test.plant(append([]Replica(nil), all...))), test.fault) })
	}
	if got := Replicas(all).String(); got != "good: 5 replicas compared" {
		t.Error(got)
	}
}
