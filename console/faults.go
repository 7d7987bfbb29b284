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
	if ask.mayLose() {
		c.watcher.refresh(r.Context()) // it is judged by what is, not by what was when a page was last open
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

// mayLose reports whether a fault may take the majority away from a group.
func (a FaultAsk) mayLose() bool {
	return a.Verb != supervisor.Heal && a.Verb != supervisor.Resume && a.Verb != supervisor.Clock
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
	c.watcher.freshen(r.Context())
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
	c.watcher.freshen(r.Context())
	c.watcher.mu.Lock()
	notes := c.watcher.history.rare() // elections are
	c.watcher.mu.Unlock()
	s := See(notes, since, uint64(c.options.Micros()), c.watcher.picture(time.Now()))
	if c.options.Pipe != nil {
		s.Lines = append(s.Lines, c.load.seen(time.UnixMicro(int64(since)), c.options.Host.Self()))
	}
	writeJSON(w, s)
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
	s.Lines = append(s.Lines, newCopies(notes, since)...)
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

// newCopies tells of the copies that were made since in the place of lost ones, by node: when they had caught
// up and voted, as their nodes noted. A copy that only learns does not count for a majority.
func newCopies(notes []cluster.Note, since uint64) (lines []string) {
	type copies struct {
		filling, there []flotilla.GroupID
		last           uint64 // when the last of those that are there was
	}
	var nodes []flotilla.NodeID
	all := map[flotilla.NodeID]*copies{}
	for i, n := range notes {
		if n.Kind != cluster.NoteNewCopy || n.Stamp < since {
			continue
		}
		c := all[n.Node]
		if c == nil {
			c = &copies{}
			all[n.Node], nodes = c, append(nodes, n.Node)
		}
		if at := firstVote(notes[i:], n.Node, n.Group); at == 0 {
			c.filling = append(c.filling, n.Group)
		} else {
			c.there, c.last = append(c.there, n.Group), max(c.last, at)
		}
	}
	for _, node := range nodes {
		c := all[node]
		if len(c.there) == 0 {
			lines = append(lines, fmt.Sprintf("the new %s of %s on %v %s being filled", plural(len(c.filling), "copy", "copies"), join(c.filling), node, plural(len(c.filling), "is", "are")))
			continue
		}
		line := fmt.Sprintf("%v has %s of %s, %.2f s after that", node, plural(len(c.there), "a new copy", "new copies"), join(c.there), float64(c.last-since)/1e6)
		if len(c.filling) > 0 {
			line += fmt.Sprintf("; %s of %s being filled", plural(len(c.filling), "that", "those"), join(c.filling)+plural(len(c.filling), " is", " are"))
		}
		lines = append(lines, line)
	}
	return lines
}

// firstVote returns when a node first noted that its copy of a group has a vote; 0: never.
func firstVote(notes []cluster.Note, node flotilla.NodeID, group flotilla.GroupID) uint64 {
	for _, n := range notes {
		voters, _, _ := strings.Cut(n.Word, ",") // what follows are those that only learn
		if n.Kind == cluster.NoteMembers && n.Node == node && n.Group == group && slices.Contains(strings.Fields(voters), node.String()) {
			return n.Stamp
		}
	}
	return 0
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
