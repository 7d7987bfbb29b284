package supervisor

import (
	"slices"
	"time"

	"flotilla"
)

// Timing says how patient a fleet is. Zero fields mean the defaults.
type Timing struct {
	FirstPause time.Duration // before a node that died is started again; 1 s
	MaxPause   time.Duration // the pause doubles with each death, up to this; 30 s
	Calm       time.Duration // a life of this length makes the pause the first again; 1 min
	StopWait   time.Duration // between asking a node to stop and killing it; 10 s
	LabTimeout time.Duration // one attempt to tell a node its faults; 3 s
	LabRetry   time.Duration // between two such attempts; 500 ms
}

func (t Timing) orDefaults() Timing {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.FirstPause, time.Second)
	set(&t.MaxPause, 30*time.Second)
	set(&t.Calm, time.Minute)
	set(&t.StopWait, 10*time.Second)
	set(&t.LabTimeout, 3*time.Second)
	set(&t.LabRetry, 500*time.Millisecond)
	return t
}

// Phase is where a node is in its life.
//
//	          start                     dies by itself
//	Waiting ---------> Running <--------------------------> Waiting
//	                   |  ^  \ kill                           | kill
//	             pause |  |   \------------> Down <-----------/
//	                   v  | resume             | restart
//	                  Paused                   v
//	                                        Waiting (no pause)
type Phase string

// The phases.
const (
	Running Phase = "running"
	Paused  Phase = "paused"  // stopped by SIGSTOP, on request
	Waiting Phase = "waiting" // to be started, now or after a pause
	Down    Phase = "down"    // killed on request: stays so until a restart
)

// member is the life of one node's processes: no process, only what was decided.
// The fleet's loop owns it.
type member struct {
	plan      NodePlan
	timing    Timing
	phase     Phase
	changedAt time.Time // when the phase began, or what ends it was done
	pid       int       // 0: no process
	startedAt time.Time
	startAt   time.Time // while waiting
	starts    int
	deaths    int           // processes that ended by themselves
	pause     time.Duration // of the last death, 0 after a calm life
	isEnding  bool          // a signal that ends the process was sent on request
	isAgain   bool          // and it is to be started again after that
	isWiped   bool          // with an empty disk
	killAt    time.Time     // when to lose patience with that; zero: never
	changes   []Change      // the last ones, in order
}

// maxChanges is how many changes of a node are remembered.
const maxChanges = 32

// Change is something that became of a node's process or, if it was Wiped, of its disk.
type Change struct {
	// Number counts a node's changes from 1.
	Number   uint64 `json:"n"`
	What     Phase  `json:"what"`
	PID      int    `json:"pid,omitempty"` // of a process that runs
	AtMicros int64  `json:"at_us"`         // since 1970; of no two of a node the same
}

// Wiped is among changes only: what the node had on its disk is gone.
const Wiped Phase = "wiped"

// MemberState is what may be known of a node's process from outside.
type MemberState struct {
	Node  flotilla.NodeID `json:"node"`
	Phase Phase           `json:"phase"`
	PID   int             `json:"pid"`
	// Starts counts the processes that this supervisor started for the node.
	Starts int `json:"starts"`
	// Deaths counts those of its processes that ended although nobody here had asked for it.
	Deaths int `json:"deaths,omitempty"`
	// ChangedMicros is when the phase began, since 1970; of a node that was killed, when it
	// was about to be.
	ChangedMicros int64 `json:"changed_us"`
	// Changes are the last ones, in order: of who asks now and then, none is lost on the way
	// from one phase to another and back.
	Changes []Change `json:"changes,omitempty"`
}

func (m *member) state() MemberState {
	return MemberState{Node: m.plan.Node, Phase: m.phase, PID: m.pid, Starts: m.starts, Deaths: m.deaths,
		ChangedMicros: m.changedAt.UnixMicro(), Changes: slices.Clone(m.changes)}
}

// note remembers a change.
func (m *member) note(what Phase, at time.Time) {
	c := Change{Number: 1, What: what, PID: m.pid, AtMicros: at.UnixMicro()}
	if n := len(m.changes); n > 0 {
		last := m.changes[n-1]
		c.Number, c.AtMicros = last.Number+1, max(c.AtMicros, last.AtMicros+1)
	}
	m.changes = append(m.changes[max(0, len(m.changes)-maxChanges+1):], c)
}

// started notes a new process.
func (m *member) started(pid int, now time.Time) {
	m.phase, m.pid, m.startedAt, m.changedAt = Running, pid, now, now
	m.starts++
	m.note(Running, now)
}

// ending notes that the process was told to end, to be started again or not.
func (m *member) ending(isAgain bool, now time.Time) {
	m.isEnding, m.isAgain, m.killAt = true, isAgain, now.Add(m.timing.StopWait)
	m.changedAt = now
}

// ended notes that the process is gone, or could not be started. It returns
// whether nobody had asked for that.
func (m *member) ended(now time.Time) (bySelf bool) {
	lived := now.Sub(m.startedAt)
	hadProcess := m.pid != 0
	m.pid = 0
	if !m.isEnding {
		m.changedAt = now
	}
	switch {
	case m.isEnding && m.isAgain:
		m.phase, m.startAt, m.pause = Waiting, now, 0
		if m.isWiped {
			m.note(Down, m.changedAt)
		} else {
			m.note(Waiting, now)
		}
	case m.isEnding:
		m.phase, m.pause = Down, 0
		m.note(Down, m.changedAt)
	default:
		m.pause = min(2*m.pause, m.timing.MaxPause)
		if m.pause == 0 || hadProcess && lived >= m.timing.Calm {
			m.pause = m.timing.FirstPause
		}
		m.phase, m.startAt = Waiting, now.Add(m.pause)
		bySelf = true
		if hadProcess {
			m.deaths++
			m.note(Waiting, now)
		}
	}
	m.isEnding, m.isAgain, m.killAt = false, false, time.Time{}
	return bySelf
}

// isOverdue returns whether the process had its time to end and did not. It
// does so once.
func (m *member) isOverdue(now time.Time) bool {
	if m.killAt.IsZero() || now.Before(m.killAt) {
		return false
	}
	m.killAt = time.Time{}
	return true
}

// wakeAt returns when the loop has to look at the member again; zero: no need to.
func (m *member) wakeAt() time.Time {
	if m.phase == Waiting {
		return m.startAt
	}
	return m.killAt
}

// hold keeps a waiting node down.
func (m *member) hold() { m.phase, m.pause = Down, 0 }

// due has a node without a process started at once.
func (m *member) due(now time.Time) { m.phase, m.startAt, m.pause = Waiting, now, 0 }
