package scenario

import (
	"fmt"
	"slices"

	"flotilla"
)

// fault is something that is wrong with a plan although each line is right by itself.
type fault struct {
	header string // the line with which it has to do, or
	step   int    // the step, if header is empty
	wrong  string
	right  string
}

// faults returns all that is wrong with a plan as a whole.
func (p *Plan) faults() (all []fault) {
	add := func(header, wrong, right string) {
		all = append(all, fault{header: header, wrong: wrong, right: right})
	}
	if p.Copies > p.Nodes {
		add("copies", fmt.Sprintf("%d copies on %d nodes", p.Copies, p.Nodes), fmt.Sprintf("use %d at most", p.Nodes))
	}
	if len(p.Steps) > MaxSteps {
		all = append(all, fault{step: MaxSteps, wrong: fmt.Sprintf("there are %d steps", len(p.Steps)), right: fmt.Sprintf("use %d at most", MaxSteps)})
	}
	occurrences := 0
	for i, s := range p.Steps {
		wrong, right := p.stepFault(s)
		if wrong == "" {
			if occurrences += s.occurrences(p.Duration); occurrences > MaxOccurrences {
				wrong, right = fmt.Sprintf("with this, more than %d things happen", MaxOccurrences), "have them happen less often"
			}
		}
		if wrong != "" {
			all = append(all, fault{step: i, wrong: wrong, right: right})
		}
		if occurrences > MaxOccurrences {
			break
		}
	}
	if wrong, right := p.demandFault(); wrong != "" {
		add("demand", wrong, right)
	}
	if len(all) > 0 {
		return all
	}
	if p.Mode == Liveness {
		return p.livenessFaults()
	}
	return p.safetyFaults()
}

// stepFault says what is wrong with a step, in a plan of this size and length.
func (p *Plan) stepFault(s Step) (wrong, right string) {
	if wrong, right = p.timingFault(s); wrong != "" {
		return wrong, right
	}
	if wrong, right = p.linksFault(s.Links); wrong != "" {
		return wrong, right
	}
	for _, t := range []Target{s.Nodes, s.Links.A, s.Links.B, s.To} {
		if wrong, right = p.targetFault(t); wrong != "" {
			return wrong, right
		}
	}
	if s.Verb == Transfer && int(s.Group) > p.Groups {
		return p.noGroup(s.Group)
	}
	if s.Verb == Partition && (s.Nodes.Role == All || len(s.Nodes.Nodes) == p.Nodes) {
		return "all nodes on one side", "leave some on the other side, or use isolate"
	}
	return "", ""
}

func (p *Plan) timingFault(s Step) (wrong, right string) {
	switch {
	case s.IsFinal && s.Boundary != "":
		return "nobody writes in the end, so that this moment may not come", "leave it out: finally crash " + s.Nodes.String()
	case s.At > p.Duration:
		return fmt.Sprintf("%s is later than the plan's end at %s", formatDuration(s.At), formatDuration(p.Duration)),
			"take an earlier time, finally, or a longer plan"
	case s.Until > p.Duration:
		return fmt.Sprintf("%s is later than the plan's end at %s", formatDuration(s.Until), formatDuration(p.Duration)), "leave `to` out"
	case s.Until != 0 && s.Until < s.At:
		return fmt.Sprintf("it would end at %s, before it begins at %s", formatDuration(s.Until), formatDuration(s.At)), "put the earlier time first"
	}
	return "", ""
}

func (p *Plan) linksFault(l Links) (wrong, right string) {
	if l.B.Role == "" {
		return "", ""
	}
	if l.A.String() == l.B.String() {
		return "a node has no link to itself", "name two nodes"
	}
	return "", ""
}

func (p *Plan) targetFault(t Target) (wrong, right string) {
	if t.hasGroup() && int(t.Group) > p.Groups {
		return p.noGroup(t.Group)
	}
	for i, id := range t.Nodes {
		if int(id) > p.Nodes {
			return fmt.Sprintf("there is no %v", id), fmt.Sprintf("this plan has %d nodes: n1 to n%d", p.Nodes, p.Nodes)
		}
		if slices.Contains(t.Nodes[:i], id) {
			return fmt.Sprintf("%v is named twice", id), "name each node once"
		}
	}
	return "", ""
}

func (p *Plan) noGroup(id flotilla.GroupID) (wrong, right string) {
	return fmt.Sprintf("there is no group %d", id), fmt.Sprintf("this plan has groups 1 to %d, and 0, the directory", p.Groups)
}

// occurrences is how often a step happens in a plan of that length.
func (s Step) occurrences(duration flotilla.Millis) int {
	if s.Every == 0 {
		return 1
	}
	return int((s.last(duration)-s.At)/s.Every) + 1
}

// last is the latest time at which it may happen.
func (s Step) last(duration flotilla.Millis) flotilla.Millis {
	if s.Until != 0 {
		return s.Until
	}
	return duration
}

// MinorityNodes is how many nodes may lose their data, or be away, so that each
// group still has a majority of its copies whichever nodes they are.
func (p *Plan) MinorityNodes() int { return (p.Copies - 1) / 2 }

// safetyFaults refuses to take more data than a group can lose. Steps by role hit
// another node each time, as far as one can know.
func (p *Plan) safetyFaults() []fault {
	hurt := map[flotilla.NodeID]bool{}
	others := 0
	for i, s := range p.Steps {
		if s.Verb != Wipe && s.Verb != Flip && s.Verb != Clear {
			continue
		}
		switch s.Nodes.Role {
		case Named:
			for _, id := range s.Nodes.Nodes {
				hurt[id] = true
			}
		case All:
			others += p.Nodes
		case Followers:
			others += s.occurrences(p.Duration) * (p.Copies - 1)
		default:
			others += s.occurrences(p.Duration)
		}
		if n := len(hurt) + others; n > p.MinorityNodes() {
			return []fault{{step: i, wrong: fmt.Sprintf("data of up to %d nodes would be lost or damaged", n),
				right: fmt.Sprintf("with %d copies of each group, hurt the data of %d at most, and always of the same", p.Copies, p.MinorityNodes())}}
		}
	}
	return nil
}

// livenessFaults refuses to touch what must go on.
func (p *Plan) livenessFaults() (all []fault) {
	if len(p.Without) > p.MinorityNodes() {
		return []fault{{header: "mode", wrong: fmt.Sprintf("without %d nodes", len(p.Without)),
			right: fmt.Sprintf("with %d copies of each group, the others can do without %d at most", p.Copies, p.MinorityNodes())}}
	}
	if wrong, right := p.targetFault(Target{Role: Named, Nodes: p.Without}); wrong != "" {
		return []fault{{header: "mode", wrong: wrong, right: right}}
	}
	for i, s := range p.Steps {
		if !p.leavesOthersAlone(s) {
			all = append(all, fault{step: i, wrong: "this touches nodes that must go on",
				right: "with mode liveness, only break " + Target{Role: Named, Nodes: p.Without}.String() + ", by name, and links from or to it"})
		}
	}
	return all
}

func (p *Plan) leavesOthersAlone(s Step) bool {
	switch s.Verb {
	case Start, Resume, Heal, MendDisk, MendClock, Transfer:
		return true
	}
	if s.Links.Form != "" {
		return s.Links.Form != Everywhere && (p.areWithout(s.Links.A) || p.areWithout(s.Links.B))
	}
	return p.areWithout(s.Nodes)
}

// areWithout reports whether a target is nothing but nodes of Without.
func (p *Plan) areWithout(t Target) bool {
	for _, id := range t.Nodes {
		if !slices.Contains(p.Without, id) {
			return false
		}
	}
	return t.Role == Named
}
