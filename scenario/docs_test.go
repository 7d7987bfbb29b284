package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flotilla/golden"
)

// TestDocs makes docs/scenarios.md from the grammar and the named plans, and fails
// if the file is another one: go test ./scenario -run TestDocs -update writes it.
func TestDocs(t *testing.T) {
	golden.File(t, "../docs/scenarios.md", docs(t))
}

const docsHead = `# Scenarios

Made from the tables in the package ` + "`scenario`" + `: do not edit. To make it again:
` + "`go test ./scenario -run TestDocs -update`" + `

A scenario is a text: what clients ask for, what is broken meanwhile, and when. One line says one thing. This one comes with the
program, as all those at the end of this page do:

` + "```" + `
%s` + "```" + `

What begins with ` + "`#`" + `, at the beginning of a line or of a word, is a comment. Words are separated by spaces. Lines may come in any order, but
steps of one moment are taken in the order of the text. Whatever is not understood is an error that names the line and what would be right.
Times are written ` + "`20ms`, `5s`, `1.5s`, `2m`, `1h`; shares `5%%`, `0.25%%`; sizes `100B`, `4KiB`, `1MiB`" + `.
`

const docsTiming = `
## When

| line | what it means |
|---|---|
| ` + "`at T ACTION`" + ` | once, so long after the cluster serves and the clients begin |
| ` + "`every T [from T] [to T] ACTION`" + ` | again and again: first at ` + "`from`" + ` (or after the first interval), last at ` + "`to`" + ` at the latest (or at the end) |
| ` + "`finally ACTION`" + ` | after the end, when no client asks any more; these follow each other, and one with ` + "`for`" + ` is waited for |

` + "`for T`" + ` at the end of an action undoes it after that time: a node that went down is started (a crash that waits for its moment counts from when that
has come), a fault ends and leaves what others did. At one moment, what is over ends first.

In **safety** mode all faults end after the final steps: links, disks and clocks are good again, paused nodes go on, those that are down are
started. Then the cluster has the calm time to become whole and equal. Nothing that was acknowledged may be missing, and no answer may have been wrong. So
that this can be demanded, data may be wiped, flipped or cleared on fewer than half of the copies of a group only, and always on the same nodes; a step that names a role
counts as another node each time. In **liveness** mode nothing is mended that the text does not mend, and only the nodes after ` + "`without`" + ` may be touched, by
name: all others must serve all the while, so that each client, which asks one of them, must have answers about every group within 10s, or within the silence that is demanded.

What a plan **demands** besides is that what it is meant to show happened. A silence lasts from the first question without an answer, or the answer before it, to the
next answer, for changes, linearizable reads and weak reads each by themselves: in liveness mode for each client (each node, with real processes), in safety mode an answer to anybody
ends it. Where clients that failed may take more than half of that silence until they ask again (as long as they think, and 50 ms), nobody would notice it, and the demand is refused; so is liveness where they may take more than 5 s. Effects, below, are what trouble brings about and a calm
cluster does not have; they count until the clients end. Without the steps that a plan is about, each plan that comes with the program fails by its demand. Each run tells how many operations
were judged, how many steps were done, what effects there were, and which moments came. Where ` + "`moments`" + ` are demanded, as in all plans below that wait for some, a moment that never came is
a failure, and so is a run in which no operation was answered, in any plan: nothing was tested.

` + "`flotilla lab run`" + ` plays a plan on real processes, ` + "`flotilla sim run`" + ` in virtual time; the page of a fleet under ` + "`flotilla up`" + ` plays those that come with the program, on a
fleet of its own beside it, one at a time. ` + "`flotilla lab run --all`" + ` plays all that come with the program, as far as that is possible there, and ends with a table of
the verdicts; ` + "`flotilla lab random`" + ` plays plans that are drawn, of up to two minutes each, and one in four in liveness mode, until things broke for as long as was
asked for (` + "`--minutes`" + `, up to 1440). Files are not changed while a node is down after
a power cut that took something, a power cut takes nothing between such a change and the node's next start, and of the log and its tail mark only one is changed
between two starts: two of these together are more than is promised to be survived, and such a step is not done.

%s
## Who

| words | who that is |
|---|---|
| ` + "`n2`, `n1 n3`" + ` | these nodes; they are numbered from 1 |
| ` + "`all`" + ` | every node |
| ` + "`leader of group 1`" + ` | who leads that group when the time has come |
| ` + "`a follower of group 1`" + ` | the first node that has a copy and does not lead, counting on from the leader |
| ` + "`followers of group 1`" + ` | all nodes that have a copy and do not lead |

NODES is any of these, NODE is one node: a name, a leader or a follower. While nobody leads, a step waits for up to %s, and is skipped then.

## Which links

| words | which directions |
|---|---|
| ` + "`between NODE and NODE`" + ` | both ways between two |
| ` + "`from NODE to NODE`" + ` | one way |
| ` + "`from NODE`" + ` | all that it sends |
| ` + "`to NODE`" + ` | all that is sent to it |
| ` + "`around NODE`" + ` | all that it sends and is sent |
| ` + "`everywhere`" + ` | all |

Faults of one link add up: shares as chances that are independent, delays as a sum, of %s at most.
`

const docsMoments = `
## Moments of a write

A crash comes ` + "%s" + `. A **vote** is an append that makes a new term or vote durable; a **reply** is all that waited for an
append: acknowledgements, votes, answers; a **flush** makes states durable; an **install** puts a snapshot in the place of a state and its log, and between is when the state
is new and the log is not.

` + "`losing unsynced`" + ` takes all that was written and not synced, ` + "`losing some unsynced`" + ` leaves a beginning of it: the executor's seed says how much.

## Kinds of files

Where there are several of a kind, the newest is meant.

| kind | below the folder of the node's data | what it holds |
|---|---|---|
`

const docsExecutors = `
## Who can do what

Four kinds of executors are known here. **memory** and **Pebble** are simulated clusters, with disks in memory and with Pebble on a file system in
memory; **processes** is a fleet of real ones, **power-cut** is such a fleet on a file system that forgets what was not synced. A scenario with a
step that an executor can not do is refused, and the step is named.

| to | memory | Pebble | processes | power-cut |
|---|---|---|---|---|
`

// docs writes the page.
func docs(t *testing.T) string {
	example, err := Text("leader-cut-off")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, docsHead, example)
	b.WriteString("\n## The plan as a whole\n\nEach of these lines may be there once.\n\n| line | what it says |\n|---|---|\n")
	for _, h := range headers {
		fmt.Fprintf(&b, "| `%s` | %s |\n", cell(h.form), cell(h.what))
	}
	b.WriteString("\n## Operations\n\nEach key is a register, a counter, a set or a list, and never two of them.\n\n| operation | what a client does |\n|---|---|\n")
	for _, o := range operations() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", o.operation, cell(o.what))
	}
	fmt.Fprintf(&b, docsTiming, effectsTable(), formatDuration(RoleWait), formatDuration(MaxDelay))
	writeVerbs(&b)
	fmt.Fprintf(&b, docsMoments, listed(Moments()))
	for _, f := range fileForms() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", f.file, f.path, f.what)
	}
	b.WriteString(docsExecutors)
	for _, a := range abilities() {
		fmt.Fprintf(&b, "| %s |", a)
		for _, e := range executors() {
			b.WriteString(mark(slices.Contains(e.Has, a)))
		}
		b.WriteString("\n")
	}
	writeNamed(&b)
	return b.String()
}

func effectsTable() string {
	var b strings.Builder
	b.WriteString("| effect | what is counted |\n|---|---|\n")
	for _, f := range effects {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.effect, cell(f.what))
	}
	return b.String()
}

func mark(isSo bool) string {
	if isSo {
		return " yes |"
	}
	return " |"
}

func listed[T ~string](all []T) string {
	var quoted []string
	for _, one := range all {
		quoted = append(quoted, "`"+string(one)+"`")
	}
	return strings.Join(quoted, ", ")
}

// writeVerbs writes a table for each kind of verbs.
func writeVerbs(b *strings.Builder) {
	b.WriteString("\n## Actions\n")
	kind := ""
	for _, k := range []string{kindProcesses, kindLeaders, kindLinks, kindDisks, kindClocks} {
		for _, v := range verbs {
			if v.kind != k {
				continue
			}
			if kind != k {
				kind = k
				fmt.Fprintf(b, "\n### %s\n\n| action | what it does | example |\n|---|---|---|\n", k)
			}
			fmt.Fprintf(b, "| `%s` | %s | `%s` |\n", cell(v.form()), cell(v.what), cell(v.example))
		}
	}
}

// writeNamed lists the plans that come with the program, and who can play them.
func writeNamed(b *strings.Builder) {
	b.WriteString("\n## The scenarios that come with the program\n\nTheir texts are in `scenario/plans`.\n\n| name | what it teaches | memory | Pebble | processes | power-cut |\n|---|---|---|---|---|---|\n")
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			fmt.Fprintf(b, "| %s | %v | | | | |\n", name, err)
			continue
		}
		fmt.Fprintf(b, "| [%s](../scenario/plans/%s.txt) | %s |", name, name, cell(p.Teaches))
		for _, e := range executors() {
			b.WriteString(mark(e.CanPlay(p) == nil))
		}
		b.WriteString("\n")
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
