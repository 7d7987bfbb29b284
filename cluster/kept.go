package cluster

import "go.etcd.io/raft/v3/raftpb"

// Limits of how much log is kept anyway, and for replicas that are behind: entries
// and bytes, whichever is less. One that is further behind gets a snapshot.
const (
	keptEntries    = 10_000
	maxKeptEntries = 200_000
	keptBytes      = 64 << 20
	maxKeptBytes   = 1 << 30
)

// logLimits are these limits as a Node has them: a test has smaller ones.
type logLimits struct{ entries, maxEntries, bytes, maxBytes uint64 }

func logLimitsOf(cfg Config) logLimits {
	return logLimits{entries: cfg.KeptEntries, maxEntries: cfg.KeptEntries * (maxKeptEntries / keptEntries), bytes: keptBytes, maxBytes: maxKeptBytes}
}

// cut lets the disk forget log that nobody is going to need. A leader keeps what
// its replicas still need, and its hello tells the others how much that is: then
// whoever leads next can bring a replica that is behind up by log, too. A node whose
// disk has no room keeps nothing for others.
func (n *Node) cut() {
	for _, h := range n.order {
		applied := h.state.Mark().Index
		if h.group.IsLeader() {
			h.needed = applied
			for _, f := range h.group.Followers() {
				h.needed = min(h.needed, f.Match)
			}
		}
		// In this order: marks that are of no use to the second are forgotten.
		anyway := max(applied-min(applied, n.logLimits.entries), h.marks.behind(n.logLimits.bytes, n.logLimits.maxBytes))
		atMost := max(applied-min(applied, n.logLimits.maxEntries), h.marks.behind(n.logLimits.maxBytes, n.logLimits.maxBytes))
		keep := min(h.state.Durable(), anyway)
		if n.hasRoom {
			keep = min(keep, max(h.needed, atMost))
		}
		n.disk.Cut(h.id, keep)
	}
}

// markBytes is how far apart the marks of a log are.
const markBytes = 4 << 20

// logMarks remember how many bytes of a group's log lie behind some of its indexes,
// so that the log that is kept can be bounded in bytes too: an entry may be a few
// bytes or some megabytes. What was written before the node's start is not counted.
type logMarks struct {
	written uint64 // bytes since the node's start
	marks   []logMark
}

// logMark says how much was written when the log ended at an index.
type logMark struct{ index, written uint64 }

// note takes entries that were written. They may replace older ones.
func (l *logMarks) note(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	kept := len(l.marks)
	for kept > 0 && l.marks[kept-1].index >= entries[0].GetIndex() {
		kept--
	}
	if kept > 0 && kept < len(l.marks) {
		l.written = l.marks[kept-1].written // too little rather than too much: then more is kept
	}
	l.marks = l.marks[:kept]
	for _, e := range entries {
		l.written += uint64(len(e.GetData()))
		if len(l.marks) == 0 || l.written-l.marks[len(l.marks)-1].written >= markBytes {
			l.marks = append(l.marks, logMark{index: e.GetIndex(), written: l.written})
		}
	}
}

// behind returns the newest marked index behind which at least so many bytes lie,
// or 0. Marks behind which more than most bytes lie are of no use, and forgotten.
func (l *logMarks) behind(bytes, most uint64) (index uint64) {
	useless := 0
	for i, m := range l.marks {
		if l.written-m.written < bytes {
			break
		}
		index = m.index
		if l.written-m.written >= most {
			useless = i // the newest of these still marks the bound
		}
	}
	if useless > 0 {
		l.marks = append(l.marks[:0], l.marks[useless:]...)
	}
	return index
}
