package check

import (
	"cmp"
	"slices"
)

// judgeFound finds messages that were accepted and ready, and that a receive did not find
// though it found nothing else. Where limits may have held them back, or a receive may have
// seen only what is too old or dead, that says nothing; and in a FIFO queue, groups wait.
func (v *queueView) judgeFound() {
	for _, body := range v.bodies {
		m := v.messages[body]
		missed := v.whileReady(m, func(o *QueueOperation) bool {
			r := v.rules[o.Queue]
			isFree := !r.IsFIFO && r.DeadQueue == "" && r.Rate+r.MaxInFlight+r.GroupRate+r.GroupMaxInFlight == 0
			return isFree && len(o.Deliveries) == 0 && !v.hasOld(o)
		})
		if missed != nil {
			v.accuse("lost", m, "%q was accepted by %s, and not found there: %s", body, missed.Queue, v.told(missed))
		}
	}
}

// hasOld reports whether there may have been something too old in a queue when an operation
// took effect.
func (v *queueView) hasOld(o *QueueOperation) bool {
	if v.rules[o.Queue].Retention == 0 {
		return false
	}
	for _, m := range v.messages {
		for _, s := range m.sends {
			if s.Begin < o.End && v.mayReach(s.Queue, o.Queue) && v.isOverAge(s.Earliest, o) {
				return true
			}
		}
	}
	return false
}

// whileReady returns the first receive that is as asked for and surely took effect while a
// message was ready; or nil.
func (v *queueView) whileReady(m *message, isAskedFor func(o *QueueOperation) bool) *QueueOperation {
	if !m.isOnce() || len(m.sends) == 0 || !m.sends[0].isSure() {
		return nil
	}
	sent, until := m.sends[0], int64(Always)
	if len(m.leases) > 0 {
		until = m.leases[0].given.End
	}
	all := v.receives[sent.Queue]
	first, _ := slices.BinarySearchFunc(all, sent.End, func(o *QueueOperation, at int64) int { return cmp.Compare(o.Begin, at) })
	for _, o := range all[first:] {
		if o.Begin > until {
			return nil
		}
		if v.isSurelyReady(m, o) && isAskedFor(o) {
			return o
		}
	}
	return nil
}

// isSurelyReady reports whether a message was there to be given out when an operation took
// effect: it was sent, to come at once, and was given out for the first time later, or
// never, by nobody.
func (v *queueView) isSurelyReady(m *message, o *QueueOperation) bool {
	if !v.isSentOnceBefore(m, o) || m.sends[0].Delay > 0 || m.sends[0].NotBefore > 0 {
		return false
	}
	for _, l := range m.leases {
		if l.Count == 1 && l.queue == o.Queue && l.MessageID != "" && l.MessageID == m.sends[0].MessageID {
			return o.before(l.given)
		}
	}
	lost := v.lost[o.Queue]
	return len(m.leases) == 0 && (len(lost) == 0 || lost[0].Begin > o.End) && v.isSurelyIn(m, o)
}

// isSentOnceBefore reports whether a message was surely sent to the queue of an operation
// before that took effect, and is no repetition.
func (v *queueView) isSentOnceBefore(m *message, o *QueueOperation) bool {
	if !m.isOnce() || len(m.sends) == 0 {
		return false
	}
	s := m.sends[0]
	return s.isSure() && s.before(o) && s.Queue == o.Queue && !v.mayBeRepetition(s)
}

// isSurelyIn reports whether a message was in a queue, in whatever state, when an operation
// with an answer took effect there: it was sent before, and nobody may have deleted, purged
// or moved it, nor its age or its receives.
func (v *queueView) isSurelyIn(m *message, o *QueueOperation) bool {
	if !v.isSentOnceBefore(m, o) || v.isOverAge(m.sends[0].Earliest, o) || v.mayBeMoved(o) {
		return false
	}
	received := uint64(0)
	for _, l := range m.leases {
		if l.given.Begin < o.End {
			received++
		}
		if l.firstSettle() < o.End {
			return false
		}
	}
	for _, lost := range v.lost[o.Queue] {
		if lost.Begin < o.End {
			received++
		}
	}
	if r := v.rules[o.Queue]; r.DeadQueue != "" && received >= r.MaxReceives {
		return false
	}
	return !slices.ContainsFunc(v.purges[o.Queue], func(p *QueueOperation) bool { return !p.before(m.sends[0]) && p.Begin < o.End })
}
