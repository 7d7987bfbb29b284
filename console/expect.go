package console

import (
	"fmt"
	"slices"
	"strings"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// Expectation is what a fault will do, as far as can be said.
type Expectation struct {
	Says string `json:"says"`
	// Loses are the groups that would have no majority.
	Loses []flotilla.GroupID `json:"loses,omitempty"`
	// How says how to do it where no page can, and Command what to type for it.
	How     string `json:"how,omitempty"`
	Command string `json:"command,omitempty"`
}

// Expect says what a fault will do to a cluster as it is now.
func Expect(a FaultAsk, p Picture) Expectation {
	o := outlookOf(a, p)
	e := Expectation{Says: says(a, o) + silence(a, p), Loses: o.loses}
	if len(o.ends) > 0 {
		e.Loses = o.ends
		e.Says = fmt.Sprintf("%v would be lost for good: too few copies are left for a majority, whoever is started again, and nobody can make new ones. %v is wiped, and comes back with an empty disk.", join(o.ends), a.Node)
		return e
	}
	if len(e.Loses) > 0 {
		e.Says = fmt.Sprintf("%v would have no majority: writes and linearizable reads are refused, eventual reads go on, and nothing that was acknowledged is lost. %s", join(e.Loses), e.Says)
	}
	return e
}

// outlook is how a cluster will be after a fault.
type outlook struct {
	state string // of the node now
	to    string // of the other end of what is cut
	// leads is what the node leads that has a majority then, and so elects another leader.
	leads led
	loses []flotilla.GroupID // have no majority then, and have one now
	ends  []flotilla.GroupID // never have one again: what is left of their copies is none, whoever comes back
	// isWhole says that each group has a majority then; isSafe that each has one without a node
	// that becomes slow, too.
	isWhole, isSafe bool
	leaderless      []flotilla.GroupID // have no leader now
	needed          []flotilla.NodeID  // others that are slow, and that a majority needs once the node is gone
}

func outlookOf(a FaultAsk, p Picture) outlook {
	now, then, without := linksOf(p), linksOf(p), linksOf(p)
	then.apply(a, p)
	without.runs[a.Node] = false
	o := outlook{state: nodeOf(p, a.Node).State, to: nodeOf(p, a.To).State, isWhole: true, isSafe: true}
	for _, g := range p.Groups {
		if g.Leader == 0 {
			o.leaderless = append(o.leaderless, g.Group)
		}
		hasIt := then.hasMajority(g)
		if a.Verb == supervisor.Wipe && now.endsWithout(g, a.Node) {
			o.ends = append(o.ends, g.Group)
		}
		switch {
		case !hasIt && now.hasMajority(g):
			o.loses = append(o.loses, g.Group)
		case g.Leader == a.Node:
			o.leads.add(g)
		}
		o.isWhole = o.isWhole && hasIt
		o.isSafe = o.isSafe && hasIt && (!a.isSlowness() || without.hasMajority(g))
	}
	if !a.isSlowness() {
		o.needed = slices.DeleteFunc(then.needed(p), func(n flotilla.NodeID) bool { return n == a.Node })
	}
	return o
}

// waits says who waits, and for what, though there is a majority: nobody, if that is empty.
func (o outlook) waits() string {
	var all []string
	if len(o.leaderless) > 0 {
		all = append(all, join(o.leaderless)+plural(len(o.leaderless), " has", " have")+" no leader now: what is asked of it waits for one.")
	}
	if len(o.needed) > 0 {
		names := make([]string, 0, len(o.needed))
		for _, n := range o.needed {
			names = append(names, n.String())
		}
		all = append(all, "What is left needs "+strings.Join(names, ", ")+", which "+plural(len(names), "is", "are")+" slow: each write takes so much longer.")
	}
	return strings.Join(all, " ")
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// election says what follows where a node is lost.
func (o outlook) election() string {
	election, waits := o.leads.election(), o.waits()
	switch {
	case election != "" && waits != "":
		return election + " " + waits
	case election != "":
		return election
	case !o.isWhole:
		return "No other can be elected."
	case waits != "":
		return "It leads nothing. " + waits
	}
	return "It leads nothing: nobody will notice but those who ask it."
}

// isSlowness reports whether a node becomes slow: it is still there, but who needs it waits for it.
func (a FaultAsk) isSlowness() bool {
	return a.Verb == supervisor.Slow || a.Verb == supervisor.SlowDisk
}

// needed says of a slow node that nobody can do without it, and hopeless that nobody can do with it.
const (
	needed   = "No majority does without it: each write takes so much longer."
	hopeless = "There is no majority as it is."
)

// led is what a node leads: groups that own slots, and so keys and queues, by name, and whether the
// directory, which has neither.
type led struct {
	groups      []string
	isDirectory bool
}

func (l *led) add(g GroupPicture) {
	if g.Group == flotilla.Directory {
		l.isDirectory = true
	} else if g.Slots > 0 {
		l.groups = append(l.groups, g.Group.String())
	}
}

// election says what follows if a node is lost that leads that.
func (l led) election() string {
	const after = "after 0.6 to 1.2 s of silence the others elect another leader"
	switch groups := strings.Join(l.groups, ", "); {
	case len(l.groups) == 0 && l.isDirectory:
		return "Of all groups it leads the directory only, g0: " + after + "; making groups and members waits for that, keys and queues do not."
	case l.isDirectory:
		return "It leads " + groups + ": " + after + "; writes wait for that. It leads the directory too, g0, where making groups and members waits."
	case len(l.groups) > 0:
		return "It leads " + groups + ": " + after + "; writes wait for that."
	}
	return ""
}

// silence says of a fault that stops the node which a page came from that the page tells nothing
// until it is back.
func silence(a FaultAsk, p Picture) string {
	stops := a.Verb == supervisor.Kill || a.Verb == supervisor.Restart || a.Verb == supervisor.Pause || a.Verb == supervisor.Wipe
	if !stops || a.Node != p.Self {
		return ""
	}
	return fmt.Sprintf(" This page came from %v: it goes silent until %v is back.", a.Node, a.Node)
}

// says describes a fault alone, and what follows for what the node leads.
func says(a FaultAsk, o outlook) string {
	name, election := a.Node.String(), o.election()
	if text := unmoved(a, o); text != "" {
		return text
	}
	isStart := a.Verb == supervisor.Restart || a.Verb == supervisor.Wipe
	if o.state == "silent" && !isStart && a.Verb != supervisor.Heal {
		o.state = ""
		return name + " does not answer: if it is gone, nothing changes. Else: " + says(a, o)
	}
	switch a.Verb {
	case supervisor.Kill:
		return name + " ends at once, as in a crash, and stays down. " + election + " What was acknowledged is on a majority of disks."
	case supervisor.Restart:
		return restartSays(name, o)
	case supervisor.Pause:
		return name + " stops running, but keeps its connections, as in a long garbage collection. " + election
	case supervisor.Resume:
		return name + " goes on where it stopped. If it led, it finds a newer term, and follows."
	case supervisor.Isolate:
		return name + " and the others hear nothing of each other; clients still reach it. It refuses writes and linearizable reads; eventual reads show what it has. " + election
	case supervisor.Cut:
		return cutSays(a, name, o)
	case supervisor.Slow:
		return slowSays(a, name, o)
	case supervisor.SlowDisk:
		return slowDiskSays(a, name, o)
	case supervisor.Clock:
		return fmt.Sprintf("The wall clock of %s will be %s. No answer may depend on that; where it leads, TTLs count in its time, which never goes back.", name, cluster.Skew{OffsetMillis: a.Ahead}.Words())
	case supervisor.Wipe:
		return wipeSays(name, o)
	case supervisor.Heal:
		return "Links and disks are good again; what was missed is sent again, within a second or two."
	}
	return "That is no fault that is known here."
}

// unmoved says of a node that is as it is asked to be already, or that can not be, that nothing changes; empty of
// others.
func unmoved(a FaultAsk, o outlook) string {
	name := a.Node.String()
	if a.Verb == supervisor.Cut && o.state != "down" && o.state != "paused" {
		name, o.state = a.To.String(), o.to
	}
	switch {
	case o.state == "down" && (a.Verb == supervisor.Kill || a.Verb == supervisor.Pause):
		return name + " is down already: nothing changes."
	case o.state == "down" && a.Verb == supervisor.Resume:
		return name + " is down: nothing changes. A restart starts it."
	case o.state == "down" && !isProcess(a.Verb) && a.Verb != supervisor.Heal:
		return name + " is down: nothing changes until it runs."
	case o.state == "paused" && a.Verb == supervisor.Pause:
		return name + " is paused already: nothing changes."
	case o.state == "paused" && !isProcess(a.Verb) && a.Verb != supervisor.Heal:
		return name + " is paused: nothing changes until it goes on."
	case a.Verb == supervisor.Resume && (o.state == "up" || o.state == "unready" || o.state == "draining"):
		return name + " is not paused: nothing changes."
	}
	return ""
}

// restartSays describes a process that ends and starts, or only starts.
func restartSays(name string, o outlook) string {
	text := name + " hands over what it leads, stops, and starts again from its disk."
	switch o.state {
	case "down":
		return name + " is down: it starts again from its disk."
	case "paused":
		text = name + " is paused: its process ends, and starts again from its disk."
	}
	switch waits := o.waits(); {
	case !o.isWhole:
		return text + " What needs a majority waits until enough are there."
	case waits != "":
		return text + " " + waits
	}
	return text + " Nobody should notice."
}

// wipeSays describes the loss of a disk.
func wipeSays(name string, o outlook) string {
	text := name + " is killed, loses all of its data, and starts with an empty disk. " + o.election()
	if o.state == "down" {
		text = name + " is down: it starts with an empty disk."
	}
	if !o.isWhole {
		return text + " Leaders fill its new copies once there is a majority again."
	}
	return text + " It comes back with new copies that leaders fill by snapshots; until then one more loss is one too many."
}

// cutSays describes a way that is cut.
func cutSays(a FaultAsk, name string, o outlook) string {
	waits := o.waits()
	switch {
	case a.IsOneWay && o.isWhole && waits != "":
		return fmt.Sprintf("What %s sends to %v is lost, not what comes back. A third node that hears both passes it on after some 0.4 s. %s", name, a.To, waits)
	case a.IsOneWay && o.isWhole:
		return fmt.Sprintf("What %s sends to %v is lost, not what comes back. A third node that hears both passes it on after some 0.4 s: nobody should notice.", name, a.To)
	case a.IsOneWay:
		return fmt.Sprintf("What %s sends to %v is lost, not what comes back, unless a third node hears both, and passes it on.", name, a.To)
	case o.isWhole:
		return fmt.Sprintf("%s and %v do not hear each other. A third node that hears both passes on what they have for each other after some 0.4 s.", name, a.To)
	}
	return fmt.Sprintf("%s and %v do not hear each other, unless a third node hears both, and passes on what they have for each other.", name, a.To)
}

// slowSays describes slow links.
func slowSays(a FaultAsk, name string, o outlook) string {
	text := fmt.Sprintf("Each message to and from %s is %d ms late. ", name, a.Delay)
	switch isTooLate := 2*a.Delay >= electionMillis; {
	case len(o.loses) > 0:
		return text + "With answers later than 0.6 s nodes take it for dead. No majority does without it."
	case !o.isWhole:
		return text + hopeless
	case !o.isSafe:
		return text + needed
	case isTooLate:
		return text + "With answers later than 0.6 s nodes take it for dead. A majority does without it, and elects another leader where it leads."
	}
	return text + "A majority does without it; if it leads, writes take longer, until it gives way to a faster node."
}

// slowDiskSays describes a slow disk.
func slowDiskSays(a FaultAsk, name string, o outlook) string {
	text := fmt.Sprintf("Each synced write of %s takes %d ms longer. ", name, a.Delay)
	const dead = "Meanwhile it says nothing to anybody, so that the others take it for dead now and then"
	switch isTooLate := a.Delay >= electionMillis; {
	case len(o.loses) > 0:
		return text + dead + ". No majority does without it: from the first write on leaders are lost."
	case !o.isWhole:
		return text + hopeless
	case !o.isSafe:
		return text + needed
	case isTooLate:
		return text + dead + ", and elect other leaders. A majority does without it."
	}
	leads := o.leads
	switch waits := o.waits(); {
	case len(leads.groups) == 0 && leads.isDirectory:
		return text + "Of all groups it leads the directory only, g0: making groups and members takes so much longer, keys and queues do not wait for it."
	case len(leads.groups) == 0 && waits != "":
		return text + "It leads nothing, and a majority does without it. " + waits
	case len(leads.groups) == 0:
		return text + "It leads nothing: a majority does without it, and nobody will notice."
	}
	text += fmt.Sprintf("It leads %s, and does nothing else while it writes: each write takes so much longer.", strings.Join(leads.groups, ", "))
	if a.Delay > 50 {
		return text + " Once it has written a few times it notices that its disk is much slower than the others', and gives way to one of them. Start some load to see it."
	}
	return text + " It keeps what it leads: it gives way from some 50 ms on."
}

func join(groups []flotilla.GroupID) string {
	names := make([]string, 0, len(groups))
	for _, g := range groups {
		names = append(names, g.String())
	}
	if len(names) > 6 {
		names = append(names[:6], fmt.Sprintf("%d more", len(groups)-6))
	}
	return strings.Join(names, ", ")
}
