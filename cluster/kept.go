package cluster

import "go.etcd.io/raft/v3/raftpb"

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
