package console

import (
	"fmt"
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
	name := a.Node.String()
	var leads led
	var e Expectation
	now, then, without := linksOf(p), linksOf(p), linksOf(p)
	then.apply(a, p)
	without.runs[a.Node] = false
	isAll := true
	for _, g := range p.Groups {
		hasIt := then.hasMajority(g)
		switch {
		case !hasIt && now.hasMajority(g):
			e.Loses = append(e.Loses, g.Group)
		case g.Leader == a.Node:
			leads.add(g)
		}
		isAll = isAll && hasIt && (!a.isSlowness() || without.hasMajority(g))
	}
	if e.Says = says(a, name, leads, isAll) + silence(a, p); len(e.Loses) > 0 {
		e.Says = fmt.Sprintf("%v would have no majority: writes and linearizable reads are refused, eventual reads go on, and nothing that was acknowledged is lost. %s", join(e.Loses), e.Says)
	}
	return e
}

// isSlowness reports whether a node becomes slow: it is still there, but who needs it waits for it.
func (a FaultAsk) isSlowness() bool {
	return a.Verb == supervisor.Slow || a.Verb == supervisor.SlowDisk
}

// needed says of a slow node that nobody can do without it.
const needed = "No majority does without it: each write takes so much longer."

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

// says describes a fault alone: which of the groups that a node leads will elect another leader, and
// whether that is all, as each group has a majority then; of a node that becomes slow, without it.
func says(a FaultAsk, name string, leads led, isAll bool) string {
	election := leads.election()
	switch {
	case election == "" && isAll:
		election = "It leads nothing: nobody will notice but those who ask it."
	case election == "":
		election = "No other can be elected."
	}
	switch a.Verb {
	case supervisor.Kill:
		return name + " ends at once, as in a crash, and stays down. " + election + " What was acknowledged is on a majority of disks."
	case supervisor.Restart:
		text := name + " hands over what it leads, stops, and starts again from its disk; if it is down, it starts."
		if isAll {
			return text + " Nobody should notice."
		}
		return text + " What needs a majority waits until enough are there."
	case supervisor.Pause:
		return name + " stops running, but keeps its connections, as in a long garbage collection. " + election
	case supervisor.Resume:
		return name + " goes on where it stopped. If it led, it finds a newer term, and follows."
	case supervisor.Isolate:
		return name + " and the others hear nothing of each other; clients still reach it. It refuses writes and linearizable reads; eventual reads show what it has. " + election
	case supervisor.Cut:
		return cutSays(a, name, isAll)
	case supervisor.Slow:
		if !isAll {
			return fmt.Sprintf("Each message to and from %s is %d ms late. %s", name, a.Delay, needed)
		}
		return fmt.Sprintf("Each message to and from %s is %d ms late. A majority does without it; if it leads, writes take longer, until it gives way to a faster node.", name, a.Delay)
	case supervisor.SlowDisk:
		return slowDiskSays(a, name, leads, isAll)
	case supervisor.Clock:
		return fmt.Sprintf("The wall clock of %s will be %s. No answer may depend on that; where it leads, TTLs count in its time, which never goes back.", name, cluster.Skew{OffsetMillis: a.Ahead}.Words())
	case supervisor.Wipe:
		return name + " is killed, loses all of its data, and starts with an empty disk. " + election + " It comes back with new copies that leaders fill by snapshots; until then one more loss is one too many."
	case supervisor.Heal:
		return "Links and disks are good again; what was missed is sent again, within a second or two."
	}
	return "That is no fault that is known here."
}

// cutSays describes a way that is cut.
func cutSays(a FaultAsk, name string, isAll bool) string {
	switch {
	case a.IsOneWay && isAll:
		return fmt.Sprintf("What %s sends to %v is lost, not what comes back. A third node that hears both passes it on after some 0.4 s: nobody should notice.", name, a.To)
	case a.IsOneWay:
		return fmt.Sprintf("What %s sends to %v is lost, not what comes back, unless a third node hears both, and passes it on.", name, a.To)
	case isAll:
		return fmt.Sprintf("%s and %v do not hear each other. A third node that hears both passes on what they have for each other after some 0.4 s.", name, a.To)
	}
	return fmt.Sprintf("%s and %v do not hear each other, unless a third node hears both, and passes on what they have for each other.", name, a.To)
}

// slowDiskSays describes a slow disk.
func slowDiskSays(a FaultAsk, name string, leads led, isAll bool) string {
	text := fmt.Sprintf("Each synced write of %s takes %d ms longer. ", name, a.Delay)
	switch {
	case a.Delay >= 600 && !isAll:
		return text + "Meanwhile it says nothing to anybody, so that the others take it for dead now and then. " + needed
	case !isAll:
		return text + needed
	case a.Delay >= 600:
		return text + "Meanwhile it says nothing to anybody, so that the others take it for dead now and then, and elect other leaders. A majority does without it."
	}
	switch {
	case len(leads.groups) == 0 && leads.isDirectory:
		return text + "Of all groups it leads the directory only, g0: making groups and members takes so much longer, keys and queues do not wait for it."
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
