package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"flotilla"
	"flotilla/storage"
	"flotilla/transport"
)

// Verb is what a step does.
type Verb string

// The verbs.
const (
	// Crash takes a node's power away: what was not synced may be lost.
	Crash Verb = "crash"
	// Kill ends a node's process; what it has written stays.
	Kill Verb = "kill"
	// Pause stops a process without ending it.
	Pause Verb = "pause"
	// Isolate cuts a node off from all others, both ways.
	Isolate Verb = "isolate"
	// Cut cuts the way from Node to Peer, and only that way.
	Cut Verb = "cut"
	// Heal makes all ways good again.
	Heal Verb = "heal"
	// Disturb puts a fault on all ways.
	Disturb Verb = "disturb"
	// SetClock moves a node's wall clock by Millis.
	SetClock Verb = "set clock"
	// Drift makes a node's clock too fast, or too slow, by Share.
	Drift Verb = "drift"
	// SlowDisk makes a node's synced writes take up to For longer.
	SlowDisk Verb = "slow disk"
	// FullDisk has a node's disk be nearly full for a while.
	FullDisk Verb = "full disk"
	// Wipe replaces a node's disk by an empty one, if that leaves all that was promised.
	Wipe Verb = "wipe"
	// Rot damages a file of a node that is down for that, under the same condition.
	Rot Verb = "rot"
	// Blackout takes all nodes' power away at once.
	Blackout Verb = "blackout"
)

// Step is one piece of trouble.
type Step struct {
	At   time.Duration
	Verb Verb
	// Node and Peer say whom it meets; 0 is who leads a group at that time.
	Node, Peer flotilla.NodeID
	Boundary   storage.Boundary // Crash: where; empty is at once
	For        time.Duration    // how long it lasts; SlowDisk: how slow
	Fault      transport.Fault  // Disturb
	Millis     flotilla.Millis  // SetClock
	Share      float64          // Drift
	File       string           // Rot: which file
}

// String tells the step in a line.
func (s Step) String() string {
	name := "the leader"
	if s.Node != 0 {
		name = s.Node.String()
	}
	text := fmt.Sprintf("%7.3f s  %s %s", s.At.Seconds(), s.Verb, name)
	switch s.Verb {
	case Heal:
		return fmt.Sprintf("%7.3f s  heal", s.At.Seconds())
	case Blackout:
		return fmt.Sprintf("%7.3f s  blackout", s.At.Seconds())
	case Disturb:
		return fmt.Sprintf("%7.3f s  disturb all ways: %+v", s.At.Seconds(), s.Fault)
	case Cut:
		return text + " -> " + s.Peer.String()
	case Crash:
		if s.Boundary != "" {
			text += " " + string(s.Boundary)
		}
		return fmt.Sprintf("%s, back after %v", text, s.For)
	case SetClock:
		return fmt.Sprintf("%s by %d ms", text, s.Millis)
	case Drift:
		return fmt.Sprintf("%s by %.2f %%", text, 100*s.Share)
	case Rot:
		return text + " in its " + s.File
	}
	return fmt.Sprintf("%s for %v", text, s.For)
}

// Plan is all trouble of a run that is known beforehand. Crashes at the disk's
// boundaries come by chance besides (Options.CrashOneOf).
type Plan []Step

// String tells the plan, a step a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// quickRestart is how soon half of the nodes come back: a node that comes back before
// anyone noticed is another thing than one that was missed.
const quickRestart = 30 * time.Millisecond

func downTime(r *rand.Rand) time.Duration {
	if r.IntN(2) == 0 {
		return between(r, 0, quickRestart)
	}
	return between(r, quickRestart, 4*time.Second)
}

func (w *world) downTime() time.Duration { return downTime(w.trouble) }

// RandomPlan makes trouble for so many nodes and so long. All of it passes.
func RandomPlan(seed uint64, nodes int, length time.Duration, hasFiles bool) Plan {
	r := rand.New(rand.NewPCG(seed, 3))
	var plan Plan
	for at := between(r, time.Second, 3*time.Second); at < length; at += between(r, 50*time.Millisecond, 1500*time.Millisecond) {
		s := Step{At: at, Node: flotilla.NodeID(r.IntN(nodes + 1)), For: between(r, 100*time.Millisecond, 4*time.Second)}
		s.Peer = flotilla.NodeID(1 + r.IntN(nodes))
		switch p := r.IntN(100); {
		case p < 16:
			s.Verb, s.Boundary, s.For = Crash, boundaries[r.IntN(len(boundaries))], downTime(r)
		case p < 22:
			s.Verb, s.For = Kill, downTime(r)
		case p < 32:
			s.Verb = Pause
		case p < 40:
			s.Verb = Isolate
		case p < 48:
			s.Verb = Cut
		case p < 64:
			s.Verb = Heal
		case p < 74:
			s.Verb = Disturb
			s.Fault = transport.Fault{JitterMillis: flotilla.Millis(1 + r.IntN(40)), Drop: 0.2 * r.Float64(), Duplicate: 0.1 * r.Float64(), Reorder: 0.2 * r.Float64()}
		case p < 80:
			s.Verb, s.Millis = SetClock, flotilla.Millis(r.IntN(5000)-2500)
			if r.IntN(6) == 0 {
				s.Millis = farAhead // ends all sessions
			}
		case p < 84:
			s.Verb, s.Share = Drift, maxDrift*(2*r.Float64()-1)
		case p < 88:
			s.Verb, s.For = SlowDisk, between(r, time.Millisecond, 100*time.Millisecond)
		case p < 91:
			s.Verb = FullDisk
		case p < 93:
			s.Verb, s.For = Blackout, downTime(r)
		case p < 97 && hasFiles:
			s.Verb, s.File = Rot, rotten[r.IntN(len(rotten))]
		default:
			s.Verb = Wipe
		}
		plan = append(plan, s)
	}
	return plan
}

// maxDrift is how much too fast or too slow a clock may be.
const maxDrift = 0.01

// boundaries are where a crash may be asked for; the first is: at once.
var boundaries = []storage.Boundary{"", storage.BeforeAppend, storage.AfterAppend, afterReply, storage.BeforeAppend, storage.AfterAppend,
	afterReply, storage.BeforeFlush, storage.AfterFlush, storage.BeforeInstall, storage.AfterInstall, storage.BetweenInstall}

// rotten are the files that Rot damages.
var rotten = []string{"wal", "tail of the wal", "sst", "manifest"}
