package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// effects is what trouble brought about, as far as nodes tell when the clients end.
type effects struct {
	isWatched bool // terms and copies are those when the first step came
	terms     map[flotilla.GroupID]uint64
	copies    map[copied]bool
	counted   scenario.Effects
	uncounted string // why elections and copies were not
}

// copied is a replica of a group.
type copied struct {
	group   flotilla.GroupID
	replica flotilla.ReplicaID
}

// watchEffects notes how things stand when the first step is about to be taken: until then a new
// fleet has dealt its leaders out.
func (r *run) watchEffects() {
	if r.effects.isWatched {
		return
	}
	r.effects.isWatched = true
	var silent flotilla.NodeID
	if r.effects.terms, r.effects.copies, silent = r.standing(); silent != 0 {
		r.effects.uncounted = fmt.Sprintf("%v did not tell how its groups stood when the first step came", silent)
	}
}

// standing asks all nodes for their groups' terms and replicas; silent is one that does not say.
func (r *run) standing() (terms map[flotilla.GroupID]uint64, copies map[copied]bool, silent flotilla.NodeID) {
	terms, copies = map[flotilla.GroupID]uint64{}, map[copied]bool{}
	for _, a := range supervisor.Survey(context.Background(), r.fleet.Plan.Nodes) {
		if a.Status == nil {
			silent = a.Node.Node
			continue
		}
		for _, g := range a.Status.Groups {
			if terms[g.Group] = max(terms[g.Group], g.Term); g.IsHere {
				copies[copied{g.Group, g.Replica}] = true
			}
		}
	}
	return terms, copies, silent
}

// countEffects is asked when the clients have ended.
func (r *run) countEffects() {
	r.watchEffects() // if there was no step, nothing has come of any
	e := scenario.Effects{scenario.Refusals: int(r.load.refusals.Load()), scenario.LostFrames: r.lostFrames()}
	for _, node := range r.fleet.nodes() {
		e[scenario.Quarantines] += r.toll(node).asides // what a wiped one had is gone
	}
	r.effects.counted = e
	terms, copies, _ := r.standing()
	for group := range flotilla.GroupID(r.plan.Groups + 1) {
		before, wasKnown := r.effects.terms[group]
		now, isKnown := terms[group]
		if !wasKnown || !isKnown {
			r.effects.uncounted = fmt.Sprintf("no node told the term of %v", group)
		}
		e[scenario.Elections] += int(max(now, before) - before)
	}
	for one := range copies {
		if !r.effects.copies[one] {
			e[scenario.NewCopies]++
		}
	}
}

// faultMetric counts, at each node, the frames to and from a peer that the faults of links took.
const faultMetric = "flotilla_transport_dropped_by_fault_total{"

// lostFrames asks the nodes that run how many frames faults have taken from them. Those that
// ended took their numbers with them, so that it may be less than there were.
func (r *run) lostFrames() (lost int) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, n := range r.fleet.Plan.Nodes {
		res, err := client.Get("http://" + n.HTTPAddr() + "/metrics")
		if err != nil {
			continue
		}
		lost += metricsOf(res.Body, faultMetric)
		_ = res.Body.Close() // it was only read
	}
	return lost
}

// metricsOf adds up those of a page of metrics that begin so.
func metricsOf(page io.Reader, prefix string) (sum int) {
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), prefix) {
			continue
		}
		fields := strings.Fields(lines.Text())
		if n, err := strconv.ParseFloat(fields[len(fields)-1], 64); err == nil {
			sum += int(n)
		}
	}
	return sum
}
