package sim

import (
	"flotilla"
	"flotilla/scenario"
)

// Counts says how often something happened.
type Counts map[string]uint64

// Add adds another run's.
func (c Counts) Add(other Counts) {
	for what, n := range other {
		c[what] += n
	}
}

// SometimesMinutes is after how many virtual minutes of plans, over all seeds, everything must
// have happened at least once that Missing asks for. A thousand seeds of a minute each have
// about 910, since a dense life is shorter.
const SometimesMinutes = 900

// Missing returns what never happened though it should sometimes: a path that is not
// taken is not tested, and nobody notices when the trouble that led there is gone.
// isOfQueues says what clients asked for.
func (c Counts) Missing(tier Tier, isOfQueues bool) (missing []string) {
	sometimes := []string{"snapshot sent", "snapshot installed", "damaged snapshot refused", "request answered from memory", "leader elected",
		"outcome unknown", "client gave up", "log cut", "restart within 30 ms", "restart in good order", "replica compared",
		"leader asked to hand over", "read for another node", "frame passed on", "session moved to another node", "refused: " + string(flotilla.NoQuorum)}
	if isOfQueues {
		sometimes = append(sometimes, "message carried to another group", "message recurred", "dead message received", "message received again", "message sent again",
			"repetition of a message recognized", "receive attempt repeated", "lease refused", "dead messages are moved", "message not taken: ServiceUnavailable")
	} else {
		sometimes = append(sometimes, "session expired", "WATCH noticed a change", "transaction", "refused for want of room",
			"read at level linearizable", "read at level session", "read at level bounded", "read at level eventual",
			"pipeline", "WATCH held", "value that may expire", "refused: "+string(flotilla.TooStale))
	}
	sometimes = append(sometimes, effectsOfTrouble()...)
	executor := Executor(tier)
	for _, b := range scenario.Moments() {
		if executor.CanDo(scenario.Step{Verb: scenario.Crash, Boundary: b}) == nil {
			sometimes = append(sometimes, "crash "+string(b))
		}
	}
	for _, v := range []scenario.Verb{scenario.Kill, scenario.Crash, scenario.Wipe, scenario.Start, scenario.Restart, scenario.Pause, scenario.Resume,
		scenario.Transfer, scenario.Isolate, scenario.Partition, scenario.Cut, scenario.Drop, scenario.Delay, scenario.Duplicate, scenario.Reorder,
		scenario.SlowDisk, scenario.FillDisk, scenario.SetClock, scenario.RunClock} {
		sometimes = append(sometimes, "step "+string(v))
	}
	if tier == Pebble {
		sometimes = append(sometimes, "quarantine", "clear in the wal")
		for _, f := range scenario.FileKinds() {
			sometimes = append(sometimes, "flip in the "+string(f))
		}
	}
	for _, what := range sometimes {
		if c[what] == 0 {
			missing = append(missing, what)
		}
	}
	return missing
}
