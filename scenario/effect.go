package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// Effect is something that trouble brings about, and that a calm cluster does not have.
// Executors count it; a plan may demand that there was so much of it.
type Effect string

// The effects.
const (
	Elections   Effect = "elections"
	Refusals    Effect = "refusals"
	LostFrames  Effect = "lost frames"
	NewCopies   Effect = "new copies"
	Quarantines Effect = "quarantines"
	SlowWrites  Effect = "slow writes"
	WrongTimes  Effect = "wrong times"
	HandOvers   Effect = "hand-overs"
)

// What counts as slow, and as wrong.
const (
	SlowWriteMillis = 10
	WrongTimeMillis = 1000
)

type effectForm struct {
	effect    Effect
	one       string
	what      string
	isVirtual bool // counted in the simulator only
}

// effects is the grammar of what is demanded so often, in the order of printing.
var effects = []effectForm{
	{effect: Elections, one: "election", what: "how often groups came to a new term since the first step, all of them and the directory together, by votes or handed over. Nothing is handed over in a calm cluster by then"},
	{effect: Refusals, one: "refusal", what: "how often a client was told that nothing was done, because the disks had no room or the node saw no majority"},
	{effect: LostFrames, one: "lost frame", what: "how many frames between nodes the faults of links took; of real processes those that still run when the clients end"},
	{effect: NewCopies, one: "new copy", what: "how many replicas there are when the clients end that were not there at the first step"},
	{effect: Quarantines, one: "quarantine", what: "how often a node found its data damaged, and set it aside"},
	{effect: SlowWrites, one: "slow write", isVirtual: true, what: fmt.Sprintf("how many writes took %d ms or more until they were synced; counted in the simulator only", SlowWriteMillis)},
	{effect: WrongTimes, one: "wrong time", isVirtual: true, what: fmt.Sprintf("how often, at each 64th entry of a log, its time was a second or more (%d ms) ahead of the true one; counted in the simulator only", WrongTimeMillis)},
	{effect: HandOvers, one: "hand-over", isVirtual: true, what: "how many groups a node that was stopped in good order led before, and led no more when it stopped; counted in the simulator only"},
}

// Effects says how much there was of each. What is not in it was not counted.
type Effects map[Effect]int

// Uncounted names what a demand asks for and only the simulator counts.
func (d Demand) Uncounted(e Effects) (all []string) {
	for _, f := range effects {
		least := d.Least[f.effect]
		if _, isCounted := e[f.effect]; f.isVirtual && least > 0 && !isCounted {
			all = append(all, fmt.Sprintf("not judged: that there were at least %s; only the simulator counts them", counted(least, f.one)))
		}
	}
	return all
}

// TooFew says of what there was less than was demanded.
func (d Demand) TooFew(e Effects) (all []string) {
	for _, f := range effects {
		if n, isCounted := e[f.effect]; isCounted && n < d.Least[f.effect] {
			all = append(all, fmt.Sprintf("nothing was tested: there %s %s, and at least %d %s demanded", were(n), counted(n, f.one), d.Least[f.effect], are(d.Least[f.effect])))
		}
	}
	return all
}

// String says what there was; elections always, and of the others what there was any of.
func (e Effects) String() string {
	var parts []string
	if _, isCounted := e[Elections]; !isCounted {
		parts = append(parts, "elections not counted")
	}
	for _, f := range effects {
		if n, isCounted := e[f.effect]; n > 0 || f.effect == Elections && isCounted {
			parts = append(parts, counted(n, f.one))
		}
	}
	return strings.Join(parts, ", ")
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func counted(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "copy"):
		what = strings.TrimSuffix(what, "y") + "ie"
	}
	return strconv.Itoa(n) + " " + what + "s"
}
