package cluster

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

// TestLogMarks asks how far a log may be cut so that so many bytes stay.
func TestLogMarks(t *testing.T) {
	var l logMarks
	write := func(from, to uint64, bytes int) {
		for i := from; i <= to; i++ {
			l.note([]*raftpb.Entry{{Index: &i, Data: make([]byte, bytes)}})
		}
	}
	if got := l.behind(1, 1<<30); got != 0 {
		t.Errorf("an empty log may be cut to %d", got)
	}
	write(1, 100, 1<<20)
	// Marks are at 1, 5, 9 ...: behind 85 are 15 MiB, behind 81 are 19.
	if got := l.behind(16<<20, 1<<30); got != 81 {
		t.Errorf("to keep 16 MiB of 100 the log is cut to %d, want 81", got)
	}
	if got := l.behind(1<<30, 1<<30); got != 0 {
		t.Errorf("to keep more than there is the log is cut to %d", got)
	}
	write(50, 60, 1<<20) // a new leader replaced what was behind 49
	if got := l.behind(8<<20, 1<<30); got > 53 || got == 0 {
		t.Errorf("after entries were replaced the log is cut to %d, want at most 53", got)
	}
	before := len(l.marks)
	if l.behind(32<<20, 32<<20); len(l.marks) >= before {
		t.Errorf("%d marks, and none was forgotten", before)
	}
	if got := l.behind(32<<20, 32<<20); got == 0 || got > 29 {
		t.Errorf("after marks were forgotten the log is cut to %d", got)
	}
}
