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
	isWatched bool              // before is known
	before    scenario.Standing // when the first step came
	counted   scenario.Effects
	uncounted string // why elections and copies were not
	answered  int    // operations of the clients
}

// watchEffects notes how things stand when the first step is about to be taken: until then a new
// fleet has dealt its leaders out.
func (r *run) watchEffects() {
	if r.effects.isWatched {
		return
	}
	r.effects.isWatched = true
	var silent flotilla.NodeID
	if r.effects.before, silent = r.standing(); silent != 0 {
		r.effects.uncounted = fmt.Sprintf("%v did not tell how its groups stood when the first step came", silent)
	}
}

// standing asks all nodes how their groups stand; silent is one that runs and does not say.
func (r *run) standing() (s scenario.Standing, silent flotilla.NodeID) {
	s = scenario.NewStanding()
	for _, a := range supervisor.Survey(context.Background(), r.fleet.Plan.Nodes) {
		if a.Status == nil {
			if r.fleet.state(a.Node.Node).Phase == supervisor.Running {
				silent = a.Node.Node
			}
			continue
		}
		for _, g := range a.Status.Groups {
			if s.Term(g.Group, g.Term); g.IsHere {
				s.Copy(g.Group, g.Replica)
			}
		}
	}
	return s, silent
}

// countEffects is asked when the clients have ended.
func (r *run) countEffects() {
	r.watchEffects() // if there was no step, nothing has come of any
	e := scenario.Effects{scenario.Refusals: int(r.load.refusals.Load()), scenario.LostFrames: r.lostFrames(), scenario.Quarantines: 0}
	for _, node := range r.fleet.nodes() {
		e[scenario.Quarantines] += r.toll(node).asides // what a wiped one had is gone
	}
	r.effects.counted, r.effects.answered = e, int(r.load.counts[0].Load())
	now, silent := r.standing()
	if silent != 0 {
		r.effects.uncounted = fmt.Sprintf("%v did not tell how its groups stood when the clients ended", silent)
	}
	for group := range flotilla.GroupID(r.plan.Groups + 1) {
		if r.effects.before.Terms[group] == 0 || now.Terms[group] == 0 {
			r.effects.uncounted = fmt.Sprintf("no node told the term of %v", group)
		}
	}
	if r.effects.uncounted == "" {
		e[scenario.Elections], e[scenario.NewCopies] = now.Since(r.effects.before)
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
