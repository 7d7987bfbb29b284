package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flotilla"
)

// Verb says what a step does. Its value is how it begins in the text.
type Verb string

// The verbs; the table below says what each does.
const (
	Kill      Verb = "kill"
	Crash     Verb = "crash"
	Wipe      Verb = "wipe"
	Start     Verb = "start"
	Restart   Verb = "restart"
	Pause     Verb = "pause"
	Resume    Verb = "resume"
	Isolate   Verb = "isolate"
	Partition Verb = "partition"
	Cut       Verb = "cut"
	Drop      Verb = "drop"
	Delay     Verb = "delay"
	Duplicate Verb = "duplicate"
	Reorder   Verb = "reorder"
	Heal      Verb = "heal"
	SlowDisk  Verb = "slow disk"
	FillDisk  Verb = "fill disk"
	MendDisk  Verb = "mend disk"
	Flip      Verb = "flip"
	Clear     Verb = "clear"
	SetClock  Verb = "set clock"
	RunClock  Verb = "run clock"
	MendClock Verb = "mend clock"
	Transfer  Verb = "transfer"
)

// clause is a part of a step's text after the verb. read takes its words; write
// gives them back, or nothing if the step does not have that part.
type clause struct {
	form  string
	read  func(w *words, s *Step)
	write func(s Step) string
}

// verbForm is what the language knows of a verb.
type verbForm struct {
	verb    Verb
	kind    string // heading in the documentation
	what    string
	example string
	clauses []clause
}

// form is the pattern of all of the verb's steps.
func (f verbForm) form() string {
	text := string(f.verb)
	for _, c := range f.clauses {
		text += " " + c.form
	}
	return text
}

const (
	kindProcesses = "Processes"
	kindLinks     = "Links"
	kindDisks     = "Disks"
	kindClocks    = "Clocks"
	kindLeaders   = "Leaders"
)

// verbs is the grammar of all that a step can do, in the order of the documentation.
var verbs = slices.Concat(processVerbs(), linkVerbs(), diskVerbs())

func processVerbs() []verbForm {
	return []verbForm{
		{Kill, kindProcesses, "end the processes at once, as kill -9: what was written is kept, synced or not. They stay down until started",
			"kill leader of group 1 for 2s", []clause{nodesClause(), forClause()}},
		{Crash, kindProcesses, "take the power away: at once, or at the next such moment of a write of that node. What was not synced is kept unless the step says that it is lost, all of it or all but a beginning. A crash that waits for its moment is forgotten when the node goes down in another way or is restarted",
			"crash n2 before vote losing unsynced for 20ms", []clause{nodesClause(), boundaryClause(), lossClause(), forClause()}},
		{Wipe, kindProcesses, "kill, and replace the disk by an empty one",
			"wipe n3 for 5s", []clause{nodesClause(), forClause()}},
		{Start, kindProcesses, "start those that are down; one that runs is left alone",
			"start all", []clause{nodesClause()}},
		{Restart, kindProcesses, "stop in good order, and start again; one that is down is started",
			"restart n1", []clause{nodesClause()}},
		{Pause, kindProcesses, "stop the processes without ending them, as a long garbage collection or a suspended machine",
			"pause n1 for 4s", []clause{nodesClause(), forClause()}},
		{Resume, kindProcesses, "let paused processes go on",
			"resume n1", []clause{nodesClause()}},
		{Transfer, kindLeaders, "ask the leader to hand over, to a given node or to whom it likes",
			"transfer group 1 to n2", []clause{groupClause(), toClause()}},
	}
}

func linkVerbs() []verbForm {
	return []verbForm{
		{Isolate, kindLinks, "cut each of the nodes off from all others, both ways",
			"isolate leader of group 1 for 5s", []clause{nodesClause(), forClause()}},
		{Partition, kindLinks, "cut the nodes off from the rest, both ways; among themselves they still talk",
			"partition n1 n2 for 10s", []clause{nodesClause(), forClause()}},
		{Cut, kindLinks, "let nothing through",
			"cut from n1 to n2", []clause{linksClause(), forClause()}},
		{Drop, kindLinks, "lose a share of the messages",
			"drop 5% between n1 and n3", []clause{shareClause(), linksClause(), forClause()}},
		{Delay, kindLinks, "have each message arrive so much later, drawn evenly if there are two times; their order is kept. Once it ends, what is still on its way arrives at once in the lab, and in its time in the simulator",
			"delay 20ms to 80ms from n1 to n2", []clause{delayClause(), linksClause(), forClause()}},
		{Duplicate, kindLinks, "have a share of the messages arrive twice",
			"duplicate 2% everywhere", []clause{shareClause(), linksClause(), forClause()}},
		{Reorder, kindLinks, "hold a share of the messages back while others overtake them",
			"reorder 10% around n2", []clause{shareClause(), linksClause(), forClause()}},
		{Heal, kindLinks, "make all links good again, or all from and to some nodes",
			"heal", []clause{optionalNodesClause()}},
	}
}

func diskVerbs() []verbForm {
	return []verbForm{
		{SlowDisk, kindDisks, "have each write that is synced take so much longer; of several, the latest that has not ended counts",
			"slow disk of n2 by 50ms to 200ms for 10s", []clause{ofClause(), byClause(), forClause()}},
		{FillDisk, kindDisks, "leave no room on the disk",
			"fill disk of n2 for 10s", []clause{ofClause(), forClause()}},
		{MendDisk, kindDisks, "end what makes the disk slow or full",
			"mend disk of n2", []clause{ofClause()}},
		{Flip, kindDisks, "turn over bits, anywhere in the newest file of a kind, whether the node runs or not; the executor's seed says which bits",
			"flip 3 bits in wal of n2", []clause{bitsClause(), fileClause(), ofClause()}},
		{Clear, kindDisks, "put zeros in the place of the last that was written to the newest file of a kind, whether the node runs or not: a block that rotted away so that it looks as if it had never been written",
			"clear last 4KiB of wal of n2", []clause{lastClause(), ofClause()}},
		{SetClock, kindClocks, "set the wall clock so far off the true time; of several, the latest that has not ended counts",
			"set clock of n2 500ms ahead", []clause{ofClause(), offsetClause(), forClause()}},
		{RunClock, kindClocks, "have all of the node's clocks run too fast or too slow, by so many millionths; while one runs that began later, it counts alone. When it ends the wall clock is right again, as far as it was not set wrongly",
			"run clock of n2 200ppm slow", []clause{ofClause(), driftClause(), forClause()}},
		{MendClock, kindClocks, "have the clocks show the true time and run right",
			"mend clock of n2", []clause{ofClause()}},
	}
}

// lookupVerb returns the grammar of a verb; ok is false if there is no such verb.
func lookupVerb(v Verb) (f verbForm, ok bool) {
	for _, f := range verbs {
		if f.verb == v {
			return f, true
		}
	}
	return verbForm{}, false
}

func nodesClause() clause {
	return clause{"NODES", func(w *words, s *Step) { s.Nodes = w.target() }, func(s Step) string { return s.Nodes.String() }}
}

func optionalNodesClause() clause {
	read := func(w *words, s *Step) {
		if w.peek() != "" {
			s.Nodes = w.target()
		}
	}
	return clause{"[NODES]", read, func(s Step) string { return s.Nodes.String() }}
}

func ofClause() clause {
	read := func(w *words, s *Step) {
		w.need("of")
		s.Nodes = w.target()
	}
	return clause{"of NODES", read, func(s Step) string { return "of " + s.Nodes.String() }}
}

func forClause() clause {
	read := func(w *words, s *Step) {
		if w.take("for") {
			s.For = w.duration("time", 1, MaxDuration)
		}
	}
	write := func(s Step) string {
		if s.For == 0 {
			return ""
		}
		return "for " + formatDuration(s.For)
	}
	return clause{"[for T]", read, write}
}

func boundaryClause() clause {
	read := func(w *words, s *Step) {
		if moment := w.peek(); moment != "before" && moment != "between" && moment != "after" {
			return
		}
		for _, b := range Moments() {
			if w.take(string(b)) {
				s.Boundary = b
				return
			}
		}
		moment := w.next()
		var all []string
		for _, b := range Moments() {
			if rest, ok := strings.CutPrefix(string(b), moment+" "); ok {
				all = append(all, rest)
			}
		}
		w.oneOf("moment of a write "+moment, all)
	}
	return clause{"[MOMENT]", read, func(s Step) string { return string(s.Boundary) }}
}

func lossClause() clause {
	read := func(w *words, s *Step) {
		switch {
		case w.take(string(LoseSome)):
			s.Loss = LoseSome
		case w.take(string(LoseAll)):
			s.Loss = LoseAll
		case w.take("losing"):
			w.unexpected(`"unsynced" or "some unsynced"`)
		}
	}
	return clause{"[losing [some] unsynced]", read, func(s Step) string { return string(s.Loss) }}
}

func shareClause() clause {
	return clause{"P%", func(w *words, s *Step) { s.Share = w.share() }, func(s Step) string { return s.Share.String() }}
}

// delaySpan takes the time of a delay, which is above 0.
func delaySpan(w *words, s *Step) {
	s.Delay = w.span("delay", MaxDelay)
	if s.Delay.Most == 0 {
		w.fail("a delay of 0", "give a time above 0")
	}
}

func delayClause() clause {
	return clause{"T [to T]", delaySpan, func(s Step) string { return formatSpan(s.Delay) }}
}

func byClause() clause {
	read := func(w *words, s *Step) {
		w.need("by")
		delaySpan(w, s)
	}
	return clause{"by T [to T]", read, func(s Step) string { return "by " + formatSpan(s.Delay) }}
}

func bitsClause() clause {
	read := func(w *words, s *Step) {
		if w.take("a bit") {
			s.Bits = 1
			return
		}
		s.Bits = w.number("a number of bits", 1, MaxBits)
		if !w.take("bit") {
			w.need("bits")
		}
	}
	write := func(s Step) string {
		if s.Bits == 1 {
			return "a bit"
		}
		return strconv.Itoa(s.Bits) + " bits"
	}
	return clause{"N bits", read, write}
}

func fileClause() clause {
	read := func(w *words, s *Step) {
		w.need("in")
		s.File = w.file()
	}
	return clause{"in FILE", read, func(s Step) string { return "in " + string(s.File) }}
}

// file takes the name of a kind of file.
func (w *words) file() File {
	var all []string
	for _, f := range fileForms() {
		all = append(all, string(f.file))
	}
	return File(w.oneOf("kind of file", all))
}

func lastClause() clause {
	read := func(w *words, s *Step) {
		w.need("last")
		s.Bytes = w.size("a part", 1, MaxClearBytes)
		w.need("of")
		s.File = w.file()
	}
	write := func(s Step) string { return "last " + formatSize(s.Bytes) + " of " + string(s.File) }
	return clause{"last SIZE of FILE", read, write}
}

func offsetClause() clause {
	read := func(w *words, s *Step) {
		s.Offset = w.duration("time", 1, MaxClockOffset)
		if w.oneOf("direction", []string{"ahead", "behind"}) == "behind" {
			s.Offset = -s.Offset
		}
	}
	write := func(s Step) string {
		if s.Offset < 0 {
			return formatDuration(-s.Offset) + " behind"
		}
		return formatDuration(s.Offset) + " ahead"
	}
	return clause{"T ahead|behind", read, write}
}

func driftClause() clause {
	read := func(w *words, s *Step) {
		text := w.peek()
		n, ok := parseUnits(text, []unit{{"ppm", 1}})
		switch {
		case text == "":
			w.unexpected("a drift such as 200ppm")
			return
		case !ok:
			w.fail(fmt.Sprintf("%q is no drift", text), "write it in millionths, as 200ppm")
		case n < 1 || n > MaxDriftPPM:
			w.fail("a drift of "+text, fmt.Sprintf("give 1ppm to %dppm", MaxDriftPPM))
		}
		w.next()
		s.DriftPPM = int(n)
		if w.oneOf("direction", []string{"fast", "slow"}) == "slow" {
			s.DriftPPM = -s.DriftPPM
		}
	}
	write := func(s Step) string {
		if s.DriftPPM < 0 {
			return strconv.Itoa(-s.DriftPPM) + "ppm slow"
		}
		return strconv.Itoa(s.DriftPPM) + "ppm fast"
	}
	return clause{"Nppm fast|slow", read, write}
}

func groupClause() clause {
	read := func(w *words, s *Step) {
		w.need("group")
		s.Group = flotilla.GroupID(w.number("a group's number", 0, MaxGroups))
	}
	return clause{"group G", read, func(s Step) string { return "group " + strconv.Itoa(int(s.Group)) }}
}

func toClause() clause {
	read := func(w *words, s *Step) {
		if w.take("to") {
			s.To = w.oneNode()
		}
	}
	write := func(s Step) string {
		if s.To.Role == "" {
			return ""
		}
		return "to " + s.To.String()
	}
	return clause{"[to NODE]", read, write}
}
