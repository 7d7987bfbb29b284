package sim

import "flotilla/storage"

// Counts says how often something happened.
type Counts map[string]uint64

// Add adds another run's.
func (c Counts) Add(other Counts) {
	for what, n := range other {
		c[what] += n
	}
}

// SometimesMinutes is after how many virtual minutes, over all seeds, everything must
// have happened at least once that Missing asks for.
const SometimesMinutes = 1000

// Missing returns what never happened though it should sometimes: a path that is not
// taken is not tested, and nobody notices when the trouble that led there is gone.
func (c Counts) Missing(tier Tier) (missing []string) {
	sometimes := []string{"snapshot sent", "snapshot installed", "damaged snapshot refused", "request answered from memory", "leader elected", "session expired",
		"outcome unknown", "client gave up", "WATCH noticed a change", "log cut", "restart within 30 ms", "disk wiped", "replica compared",
		"read for another node", "refused for want of room",
		"read at level 0", "read at level 1", "read at level 2", "read at level 3",
		"crash " + string(storage.BeforeAppend), "crash " + string(storage.AfterAppend), "crash " + string(afterReply),
		"crash " + string(storage.BeforeInstall), "crash " + string(storage.AfterInstall)}
	if tier == Pebble {
		sometimes = append(sometimes, "quarantine", "rot in the wal", "rot in the tail of the wal", "rot in the sst", "rot in the manifest")
	} else {
		sometimes = append(sometimes, "crash "+string(storage.BeforeFlush), "crash "+string(storage.AfterFlush), "crash "+string(storage.BetweenInstall))
	}
	for _, what := range sometimes {
		if c[what] == 0 {
			missing = append(missing, what)
		}
	}
	return missing
}
