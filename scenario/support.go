package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"flotilla"
)

// Ability is something that an executor must be able to do for a step.
type Ability string

// The abilities. The value ends the sentence "it can ...".
const (
	Processes      Ability = "end, start, pause and resume nodes"
	LinkFaults     Ability = "break single links, one way"
	Boundaries     Ability = "stop a node at an append, a vote or a reply"
	InstallMoments Ability = "stop a node before or after an install"
	InnerMoments   Ability = "stop a node at a flush or between an install"
	PowerLoss      Ability = "take away what was not synced"
	PartialLoss    Ability = "take away a part of what was not synced"
	EmptyDisks     Ability = "give a node an empty disk"
	SlowDisks      Ability = "slow a disk down"
	FullDisks      Ability = "fill a disk"
	Files          Ability = "change files of a node"
	Clocks         Ability = "set a node's clock"
	Transfers      Ability = "tell a leader to hand over"
	QueueClients   Ability = "ask anything of queues"
)

// abilities in the order of the documentation.
func abilities() []Ability {
	return []Ability{Processes, LinkFaults, Transfers, Boundaries, InstallMoments, InnerMoments, PowerLoss, PartialLoss,
		EmptyDisks, SlowDisks, FullDisks, Files, Clocks, QueueClients}
}

// Executor is something that carries plans out, and what it can do. Whoever builds
// one may take those below and add what its surroundings allow.
type Executor struct {
	Name string
	Has  []Ability
}

// Virtual is a simulated cluster whose disks are storage.Memory: the only one that
// knows the moments inside of a disk, which are a flush and the middle of an install. It
// has no files.
func Virtual() Executor {
	return Executor{"the simulator", []Ability{Processes, LinkFaults, Boundaries, InstallMoments, InnerMoments, PowerLoss,
		PartialLoss, EmptyDisks, SlowDisks, FullDisks, Clocks, Transfers, QueueClients}}
}

// VirtualPebble is a simulated cluster whose disks are Pebble on a file system in
// memory. What a power cut leaves there is all or nothing: a part would differ from
// run to run.
func VirtualPebble() Executor {
	return Executor{"the simulator with Pebble", []Ability{Processes, LinkFaults, Boundaries, InstallMoments, PowerLoss,
		EmptyDisks, SlowDisks, FullDisks, Files, Clocks, Transfers, QueueClients}}
}

// Real is a fleet of processes on this machine. Moments inside of a disk pass within
// Pebble, where no process can be stopped.
func Real() Executor {
	return Executor{"a fleet of processes", []Ability{Processes, LinkFaults, Boundaries, InstallMoments, EmptyDisks, Files, Clocks, Transfers}}
}

// RealPowerCut is such a fleet on file systems that forget what was not synced, and
// that can be slow and full.
func RealPowerCut() Executor {
	return Executor{"a fleet on power-cut disks", append(Real().Has, PowerLoss, PartialLoss, SlowDisks, FullDisks)}
}

// executors in the order of the documentation.
func executors() []Executor { return []Executor{Virtual(), VirtualPebble(), Real(), RealPowerCut()} }

// Needs returns what an executor must be able to do for the step, in a fixed order.
func (s Step) Needs() (needs []Ability) {
	switch s.Verb {
	case Kill, Start, Restart, Pause, Resume:
		needs = append(needs, Processes)
	case Crash:
		needs = append(needs, Processes)
		switch s.Boundary {
		case "":
		case BeforeInstall, AfterInstall:
			needs = append(needs, InstallMoments)
		case BeforeFlush, AfterFlush, BetweenInstall:
			needs = append(needs, InnerMoments)
		default:
			needs = append(needs, Boundaries)
		}
		switch s.Loss {
		case LoseAll:
			needs = append(needs, PowerLoss)
		case LoseSome:
			needs = append(needs, PartialLoss)
		}
	case Wipe:
		needs = append(needs, Processes, EmptyDisks)
	case Isolate, Partition, Cut, Drop, Delay, Duplicate, Reorder, Heal:
		needs = append(needs, LinkFaults)
	case SlowDisk:
		needs = append(needs, SlowDisks)
	case FillDisk:
		needs = append(needs, FullDisks)
	case Flip, Clear:
		needs = append(needs, Files)
	case SetClock, RunClock, MendClock:
		needs = append(needs, Clocks)
	case Transfer:
		needs = append(needs, Transfers)
	}
	return needs // nothing for MendDisk: a disk that can not be broken is whole
}

// CanDo tells whether the executor can carry the step out; nil if so. The error
// names the step and what is missing.
func (e Executor) CanDo(s Step) error {
	for _, need := range s.Needs() {
		if !slices.Contains(e.Has, need) {
			return fmt.Errorf("`%v` is not possible here: %s can not %s", s, e.Name, need)
		}
	}
	return nil
}

// canAsk tells whether there are clients for all of a plan's load; nil if so.
func (e Executor) canAsk(p *Plan) *Error {
	if !p.Workload.HasQueues() || slices.Contains(e.Has, QueueClients) {
		return nil
	}
	return &Error{Wrong: "the load is not possible here", Right: fmt.Sprintf("clients of %s can not %s", e.Name, QueueClients)}
}

// CanPlay tells whether the executor can carry out all of a plan's steps; nil if so.
// The error has a line for each step that it can not.
func (e Executor) CanPlay(p *Plan) error {
	var all Errors
	if err := e.canAsk(p); err != nil {
		all = append(all, err)
	}
	for _, s := range p.Steps {
		for _, need := range s.Needs() {
			if !slices.Contains(e.Has, need) {
				all = append(all, &Error{Wrong: fmt.Sprintf("`%v` is not possible here", s), Right: fmt.Sprintf("%s can not %s", e.Name, need)})
				break
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// CanPlayText is CanPlay for a plan and the text that it was parsed from: the error
// names the lines of the steps that can not be done.
func (e Executor) CanPlayText(p *Plan, text string) error {
	var lines []int // on which the steps are, in order
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) > 0 && (words[0] == "at" || words[0] == "every" || words[0] == "finally") {
			lines = append(lines, i+1)
		}
	}
	flotilla.Assert(len(lines) == len(p.Steps), "a plan of %d steps is not of a text with %d", len(p.Steps), len(lines))
	var all []error
	if err := e.canAsk(p); err != nil {
		all = append(all, err)
	}
	for i, step := range p.Steps {
		if err := e.CanDo(step); err != nil {
			all = append(all, fmt.Errorf("line %d: %w", lines[i], err))
		}
	}
	return errors.Join(all...)
}
