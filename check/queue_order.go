package check

import (
	"cmp"
	"slices"
)

// numbered is a message of a FIFO queue, by its number there.
type numbered struct {
	message  *message
	sequence uint64
	leases   []*lease
	stays    int64 // until when it surely is in the queue, if it was there before; on the recorder's clock
}

// lane is a message group of a FIFO queue.
type lane struct{ queue, group string }

// judgeOrder finds message groups whose messages were not given out one after the other:
// a message was given out, and one before it was still there and not in the same receive,
// or behind it there. And it finds numbers that are not in the order of sending.
func (v *queueView) judgeOrder() {
	lanes, all := map[lane]map[uint64]*numbered{}, []lane{}
	for _, body := range v.bodies {
		m := v.messages[body]
		for _, l := range m.leases {
			if !v.rules[l.queue].IsFIFO {
				continue
			}
			at := lane{l.queue, l.Group}
			if lanes[at] == nil {
				lanes[at] = map[uint64]*numbered{}
				all = append(all, at)
			}
			p := lanes[at][l.Sequence]
			if p == nil {
				p = &numbered{message: m, sequence: l.Sequence}
				lanes[at][l.Sequence] = p
			}
			p.leases = append(p.leases, l)
		}
	}
	for _, at := range all {
		places := make([]*numbered, 0, len(lanes[at]))
		for _, p := range lanes[at] {
			p.stays = v.staysUntil(at.queue, p)
			places = append(places, p)
		}
		slices.SortFunc(places, func(a, b *numbered) int { return cmp.Compare(a.sequence, b.sequence) })
		v.judgeLane(at, places)
		v.judgeNumbers(at, places)
	}
}

// staysUntil is the earliest time at which a message may have left its queue: when
// somebody began to delete it, when its last lease may have begun to end, when the queue
// was purged. It is later than any if nobody did. That it gets too old is not part of it.
func (v *queueView) staysUntil(queue string, p *numbered) int64 {
	stays := int64(Always)
	for _, l := range p.leases {
		for _, s := range l.settles {
			if s.mayHaveHappened() {
				stays = min(stays, s.Begin)
			}
		}
		if most := v.rules[queue].MaxReceives; most > 0 && l.Count >= most {
			stays = min(stays, l.given.Begin) // it may be dead as soon as the lease ends
		}
	}
	for _, o := range slices.Concat(v.purges[queue], v.moves) {
		stays = min(stays, o.Begin)
	}
	if v.rules[queue].MaxReceives > 0 && len(v.lost[queue]) > 0 { // nobody knows how often it was received
		stays = min(stays, v.lost[queue][0].Begin)
	}
	for _, l := range p.leases { // whatever it was that could have removed it, it had not
		stays = max(stays, l.given.Begin)
	}
	return stays
}

func (v *queueView) judgeLane(at lane, places []*numbered) {
	for i, p := range places {
		for _, l := range p.leases {
			earlier := v.stillThere(places[:i], l)
			if earlier == nil {
				continue
			}
			v.accuse("order", p.message, "%s gave out number %d of group %q to client %d while number %d was still there%s",
				at.queue, p.sequence, at.group, l.given.Client, earlier.sequence, v.around(earlier.message))
			return
		}
	}
}

// stillThere returns a message that surely was in the queue when a lease of a later one
// began, not too old, and not given out together with it; or nil.
func (v *queueView) stillThere(earlier []*numbered, l *lease) *numbered {
	for _, p := range slices.Backward(earlier) {
		if p.stays <= l.given.End || p.sequence >= l.Sequence || v.mayBeTooOldAt(p.leases[0], l.given) {
			continue
		}
		if !isTogether(p, l) {
			return p
		}
	}
	return nil
}

// isTogether reports whether a message was given out by the same receive as a later one,
// before it.
func isTogether(p *numbered, l *lease) bool {
	for _, d := range l.given.Deliveries {
		if d.Handle == l.Handle {
			return false
		}
		if d.Sequence == p.sequence && d.Group == l.Group {
			return true
		}
	}
	return false
}

// judgeNumbers finds two messages of which the one that was sent surely later has the
// lower number.
func (v *queueView) judgeNumbers(at lane, places []*numbered) {
	var last *numbered
	newest := int64(-1) // when the send began that began last, of those so far
	for _, p := range places {
		first := p.message.sends
		if len(first) == 0 || !p.message.isOnce() || first[0].Queue != at.queue || len(v.moves) > 0 {
			continue
		}
		if last != nil && first[0].isSure() && first[0].End < newest {
			v.accuse("order", p.message, "number %d of %s was sent before number %d%s", p.sequence, at.queue, last.sequence, v.around(last.message))
			return
		}
		if first[0].Begin > newest {
			newest, last = first[0].Begin, p
		}
	}
}
