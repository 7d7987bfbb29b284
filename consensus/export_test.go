package consensus

import (
	"fmt"
	"slices"
	"strings"

	"flotilla"

	"go.etcd.io/raft/v3/raftpb"
)

// DescribeSessions renders the sessions that a state holds, for scripts.
func DescribeSessions(r flotilla.Reader, name func(uint64) string) (string, error) {
	all, err := loadSessions(r)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, s := range all.byID {
		line := fmt.Sprintf("%s of %v low=%d last=%d:", name(s.id), s.origin, s.low, s.last)
		for _, p := range s.applied {
			line += fmt.Sprintf(" %d+%d", p.first, p.count)
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, ""), nil
}

// DescribeEntry renders an entry of the log, for scripts.
func DescribeEntry(e *raftpb.Entry, name func(uint64) string) string {
	line := fmt.Sprintf("%d term=%d", e.GetIndex(), e.GetTerm())
	if e.GetType() != raftpb.EntryNormal {
		return line + " change of members"
	}
	if len(e.GetData()) == 0 {
		return line + " empty"
	}
	head, err := decodeEntryHead(e.GetData())
	if err != nil {
		return line + " " + err.Error()
	}
	line += fmt.Sprintf(" time=%d", head.time)
	if head.flags&flagNoRoom != 0 {
		line += " no room"
	}
	for len(head.parcels.rest) > 0 {
		p, err := decodeParcelHead(head.parcels.bytes())
		if err != nil {
			return line + " " + err.Error()
		}
		line += fmt.Sprintf(" [%v", p.origin)
		if p.session == 0 {
			line += fmt.Sprintf(" opens %d]", p.first)
			continue
		}
		line += fmt.Sprintf(" %s %d+%d low=%d]", name(p.session), p.first, p.count, p.low)
	}
	return line
}
