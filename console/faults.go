package console

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// FaultAsk is a fault that a page asks for.
type FaultAsk struct {
	Verb     supervisor.Verb `json:"verb"`
	Node     flotilla.NodeID `json:"node"` // 0, with heal: all
	To       flotilla.NodeID `json:"to"`   // cut
	IsOneWay bool            `json:"one_way"`
	Delay    flotilla.Millis `json:"delay_ms"`
	Ahead    flotilla.Millis `json:"ahead_ms"`
	IsSure   bool            `json:"sure"` // also if it loses the majority
	// Token is the lab's; asked for where there is no supervisor.
	Token string `json:"token"`
}

// UnmarshalJSON is part of json.Unmarshaler: nodes are numbers or, as people write them, "n9".
func (a *FaultAsk) UnmarshalJSON(raw []byte) error {
	type plain FaultAsk
	var nodes struct {
		Node nodeName `json:"node"`
		To   nodeName `json:"to"`
	}
	if err := json.Unmarshal(raw, &nodes); err != nil {
		return err
	}
	rest := struct {
		*plain
		Node json.RawMessage `json:"node"` // read above
		To   json.RawMessage `json:"to"`
	}{plain: (*plain)(a)}
	if err := json.Unmarshal(raw, &rest); err != nil {
		return err
	}
	a.Node, a.To = flotilla.NodeID(nodes.Node), flotilla.NodeID(nodes.To)
	return nil
}

// nodeName is a node as pages and people name it: 9, "9" or "n9".
type nodeName flotilla.NodeID

// UnmarshalJSON is part of json.Unmarshaler.
func (n *nodeName) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	id, err := parseNode(strings.Trim(string(raw), `"`))
	if err != nil {
		return fmt.Errorf("%s names no node: nodes are 1, or n1, and so on", raw)
	}
	*n = nodeName(id)
	return nil
}

func parseNode(text string) (flotilla.NodeID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(text, "n"), 10, 32)
	return flotilla.NodeID(id), err
}

// request returns what the supervisor is asked for.
func (a FaultAsk) request() supervisor.Request {
	r := supervisor.Request{Verb: a.Verb, IsOneWay: a.IsOneWay, DelayMillis: a.Delay, Clock: cluster.Skew{OffsetMillis: a.Ahead}}
	if a.Node != 0 {
		r.Nodes = []flotilla.NodeID{a.Node}
	}
	if a.Verb == supervisor.Cut {
		r.Nodes = append(r.Nodes, a.To)
	}
	return r
}

// check says what is wrong with what is asked for, and what is possible.
func (a FaultAsk) check(p Picture) error {
	if !slices.Contains(supervisor.FaultVerbs(), a.Verb) {
		return fmt.Errorf("%q is no fault that is known here: the faults are %v", a.Verb, supervisor.FaultVerbs())
	}
	var known []flotilla.NodeID
	for _, n := range p.Nodes {
		known = append(known, n.Node)
	}
	isOfAll := a.Verb == supervisor.Heal && a.Node == 0
	if !isOfAll && !slices.Contains(known, a.Node) {
		return fmt.Errorf("there is no node %v: this cluster has %v", a.Node, known)
	}
	if a.Verb == supervisor.Cut && (a.To == a.Node || !slices.Contains(known, a.To)) {
		return fmt.Errorf("there is no link from %v to %v: cut is between two of %v", a.Node, a.To, known)
	}
	return a.request().Check(int(slices.Max(append(known, 1))))
}

// Done is what became of a fault that was asked for.
type Done struct {
	Lines []string `json:"lines"`
	// SinceStamp is when it was asked for, for /api/fault/seen.
	SinceStamp int64  `json:"since"`
	Error      string `json:"error,omitempty"`
}

// fault breaks or mends something.
func (c *Console) fault(w http.ResponseWriter, r *http.Request) {
	var ask FaultAsk
	if !readAsk(w, r, &ask) {
		return
	}
	if c.options.isByHand() && !c.options.Lab.admits(ask.Token) {
		http.Error(w, errToken.Error(), http.StatusForbidden)
		return
	}
	picture := c.watcher.picture(time.Now())
	if err := ask.check(picture); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if k := c.options.keeper(); k != "" && isProcess(ask.Verb) {
		says, command := k.handSays(ask.Verb, nodeOf(picture, ask.Node))
		http.Error(w, says+" "+command, http.StatusNotImplemented)
		return
	}
	if e := Expect(ask, picture); len(e.Loses) > 0 && !ask.IsSure {
		http.Error(w, e.Says, http.StatusConflict)
		return
	}
	done := Done{SinceStamp: c.options.Micros()}
	var err error
	if c.options.isByHand() {
		done.Lines, err = c.breakByHand(r.Context(), ask)
	} else {
		done.Lines, err = c.options.Fleet.Do(r.Context(), ask.request())
	}
	if err != nil {
		done.Error = err.Error()
	}
	c.options.Log.Info("a page asked for a fault", "verb", ask.Verb, "node", ask.Node)
	writeJSON(w, done)
}

// nodeOf returns a node of the picture, or none.
func nodeOf(p Picture, id flotilla.NodeID) NodePicture {
	for _, n := range p.Nodes {
		if n.Node == id {
			return n
		}
	}
	return NodePicture{}
}

// expect says beforehand what a fault will do.
func (c *Console) expect(w http.ResponseWriter, r *http.Request) {
	ask, err := askedBy(r.URL.Query())
	picture := c.watcher.picture(time.Now())
	if err == nil {
		err = ask.check(picture)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e := Expect(ask, picture)
	if k := c.options.keeper(); k != "" && isProcess(ask.Verb) {
		e.How, e.Command = k.handSays(ask.Verb, nodeOf(picture, ask.Node))
	}
	writeJSON(w, e)
}

// askedBy reads the fault that a query names.
func askedBy(q url.Values) (FaultAsk, error) {
	var err error
	number := func(name string, bits int) int64 {
		if !q.Has(name) {
			return 0 // none
		}
		n, failed := strconv.ParseInt(q.Get(name), 10, bits)
		if failed != nil && err == nil {
			err = fmt.Errorf("%s=%s: give a whole number, such as %s=2", name, q.Get(name), name)
		}
		return n
	}
	ask := FaultAsk{Verb: supervisor.Verb(q.Get("verb")), Node: flotilla.NodeID(number("node", 32)), To: flotilla.NodeID(number("to", 32)),
		IsOneWay: q.Has("one_way"), Delay: flotilla.Millis(number("delay_ms", 64)), Ahead: flotilla.Millis(number("ahead_ms", 64))}
	return ask, err
}

// seen says what came of a fault so far.
func (c *Console) seen(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseUint(r.URL.Query().Get("since"), 10, 64)
	if err != nil {
		http.Error(w, "since is a stamp", http.StatusBadRequest)
		return
	}
	if oldest := c.options.Micros() - historyMicros; int64(min(since, math.MaxInt64)) < oldest {
		http.Error(w, fmt.Sprintf("since is a stamp of the last ten minutes: what was before %d is not remembered", oldest), http.StatusBadRequest)
		return
	}
	c.watcher.mu.Lock()
	notes := c.watcher.history.rare() // elections are
	c.watcher.mu.Unlock()
	s := See(notes, since, uint64(c.options.Micros()), c.watcher.picture(time.Now()))
	if counts, ok := c.load.since(time.UnixMicro(int64(since))); ok && counts.Done+counts.Refused+counts.Unknown > 0 {
		s.Lines = append(s.Lines, counts.say(c.options.Host.Self()))
	}
	writeJSON(w, s)
}

// say tells what came of a node's load.
func (n LoadCounts) say(node flotilla.NodeID) string {
	text := fmt.Sprintf("the load through %v: %d commands answered, %d refused, %d without an answer", node, n.Done, n.Refused, n.Unknown)
	switch {
	case n.Wrong > 0:
		return text + fmt.Sprintf("; %d ACKNOWLEDGED WRITES MISSING", n.Wrong)
	case n.Checked > 0:
		return text + fmt.Sprintf("; nothing acknowledged was missing where %d of them looked", n.Checked)
	}
	return text
}

// Seen is what was seen after a fault.
type Seen struct {
	Lines []string `json:"lines"`
	// IsCalm says that every group has a leader.
	IsCalm bool `json:"calm"`
}

// See tells from the history how long groups had no leader after a fault, and who leads now.
func See(notes []cluster.Note, since, now uint64, p Picture) Seen {
	s := Seen{Lines: []string{}, IsCalm: true}
	seconds := func(to uint64) float64 { return float64(to-since) / 1e6 }
	led, slowest := 0, uint64(0) // how many groups have a leader, and when the last of them had it
	for _, g := range p.Groups {
		first := firstLeader(notes, g.Group, since)
		if g.Leader != 0 {
			led, slowest = led+1, max(slowest, first.Stamp)
		}
		switch {
		case g.Leader == 0:
			s.IsCalm = false
			s.Lines = append(s.Lines, fmt.Sprintf("%v has no leader, for up to %.1f s now: its writes wait or are refused", g.Group, seconds(now)))
		case len(p.Groups) > groupsTold:
		case first.Stamp == 0:
			s.Lines = append(s.Lines, fmt.Sprintf("%v: %v led all the time, in term %d", g.Group, g.Leader, g.Term))
		case first.Node != g.Leader || first.Term != g.Term:
			s.Lines = append(s.Lines, fmt.Sprintf("%v: %v led term %d, %.2f s after that; now %v leads term %d", g.Group, first.Node, first.Term, seconds(first.Stamp), g.Leader, g.Term))
		default:
			s.Lines = append(s.Lines, fmt.Sprintf("%v: %v leads term %d, %.2f s after that", g.Group, first.Node, first.Term, seconds(first.Stamp)))
		}
	}
	if len(p.Groups) > groupsTold {
		text := fmt.Sprintf("%d of %d groups have a leader", led, len(p.Groups))
		if slowest != 0 {
			text += fmt.Sprintf("; of those that had to elect one, the last had it %.2f s after that", seconds(slowest))
		}
		s.Lines = append([]string{text}, s.Lines...)
	}
	links := linksOf(p)
	for _, g := range p.Groups {
		if behind := links.behind(g); len(behind) > 0 {
			s.Lines = append(s.Lines, fmt.Sprintf("%v: not up to date yet: %s", g.Group, strings.Join(behind, ", ")))
		}
	}
	if len(s.Lines) > 8 {
		more := len(s.Lines) - 8
		s.Lines = append(s.Lines[:8], fmt.Sprintf("and %d more lines", more))
	}
	return s
}

// groupsTold is how many groups are told of one by one.
const groupsTold = 4

// firstLeader returns the note of the first replica that came to lead a group after a moment.
func firstLeader(notes []cluster.Note, group flotilla.GroupID, since uint64) cluster.Note {
	for _, n := range notes {
		if n.Stamp >= since && n.Kind == cluster.NoteRole && n.Group == group && n.Word == "leader" {
			return n
		}
	}
	return cluster.Note{}
}

// nearLag is how many entries a copy may be behind and still be called up to date: what is
// known of nodes is up to a second old.
const nearLag = 1000

// behind names the copies of a group that are not up to date.
func (l links) behind(g GroupPicture) (all []string) {
	for _, c := range g.Copies {
		switch {
		case l.isLost(c):
			all = append(all, fmt.Sprintf("%v has no copy yet", c.Node))
		case c.Role == "unknown":
			all = append(all, fmt.Sprintf("%v does not answer", c.Node))
		case c.Role == "learner":
			all = append(all, fmt.Sprintf("%v takes a new copy", c.Node))
		case c.Lag > nearLag:
			all = append(all, fmt.Sprintf("%v is %d entries behind", c.Node, c.Lag))
		}
	}
	return all
}

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

// links says who runs, who of these answers, and what is cut.
type links struct {
	runs    map[flotilla.NodeID]bool
	answers map[flotilla.NodeID]bool
	cut     map[[2]flotilla.NodeID]bool
}

func linksOf(p Picture) links {
	l := links{runs: map[flotilla.NodeID]bool{}, answers: map[flotilla.NodeID]bool{}, cut: map[[2]flotilla.NodeID]bool{}}
	for _, n := range p.Nodes {
		l.runs[n.Node] = n.State != "down" && n.State != "paused" && n.State != "silent"
		l.answers[n.Node] = n.State == "up" || n.State == "unready" || n.State == "draining"
		for to, f := range n.Faults {
			l.cut[[2]flotilla.NodeID{n.Node, to}] = f.Cut
		}
	}
	return l
}

// apply does to the links what a fault would.
func (l links) apply(a FaultAsk, p Picture) {
	switch a.Verb {
	case supervisor.Kill, supervisor.Restart, supervisor.Pause, supervisor.Wipe: // one that is down runs no less than before
		l.runs[a.Node] = false
	case supervisor.Isolate:
		for _, n := range p.Nodes {
			l.cut[[2]flotilla.NodeID{a.Node, n.Node}], l.cut[[2]flotilla.NodeID{n.Node, a.Node}] = true, true
		}
	case supervisor.Cut:
		l.cut[[2]flotilla.NodeID{a.Node, a.To}] = true
		l.cut[[2]flotilla.NodeID{a.To, a.Node}] = l.cut[[2]flotilla.NodeID{a.To, a.Node}] || !a.IsOneWay
	}
}

// isVoter reports whether a copy counts for a majority: one that still learns does not.
func isVoter(c CopyPicture) bool { return c.Role != "learner" }

// isLost reports whether a copy is gone, as with a disk that was wiped: its node answers, and does not
// tell of it. It counts as one that does not vote, until the group makes another.
func (l links) isLost(c CopyPicture) bool { return c.Role == "unknown" && l.answers[c.Node] }

// hasMajority reports whether more than half of a group's voters can reach each other,
// straight or by way of others.
func (l links) hasMajority(g GroupPicture) bool {
	voters, present := 0, []flotilla.NodeID{}
	for _, c := range g.Copies {
		if !isVoter(c) {
			continue
		}
		voters++
		if l.runs[c.Node] && !l.isLost(c) {
			present = append(present, c.Node)
		}
	}
	for _, node := range present {
		together := 0
		for _, other := range present {
			if l.reaches(node, other) && l.reaches(other, node) {
				together++
			}
		}
		if 2*together > voters {
			return true
		}
	}
	return false
}

// reaches reports whether what one node sends can get to another.
func (l links) reaches(from, to flotilla.NodeID) bool {
	if !l.runs[from] || !l.runs[to] {
		return false
	}
	found, next := map[flotilla.NodeID]bool{from: true}, []flotilla.NodeID{from}
	for len(next) > 0 && !found[to] {
		at := next[0]
		next = next[1:]
		for other, runs := range l.runs {
			if runs && !found[other] && !l.cut[[2]flotilla.NodeID{at, other}] {
				found[other] = true
				next = append(next, other)
			}
		}
	}
	return found[to]
}
