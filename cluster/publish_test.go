package cluster

import (
	"encoding/json"
	"strings"
	"testing"

	"flotilla/consensus"
)

// TestLagOfAFollower: it is not known before the follower has confirmed an entry to this leader.
func TestLagOfAFollower(t *testing.T) {
	for match, want := range map[uint64]string{
		0:   `"match_index":0,"state"`,
		90:  `"match_index":90,"lag_entries":10,"state"`,
		100: `"match_index":100,"lag_entries":0,"state"`,
	} {
		raw, err := json.Marshal(followerStatus(2, consensus.Follower{Replica: 2, Match: match, State: "StateProbe"}, 100))
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("of one that has %d of 100: %s, %v; want %s", match, raw, err, want)
		}
	}
}
