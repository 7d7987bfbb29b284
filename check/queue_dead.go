package check

import "slices"

// judgeReceives finds counts of receives that can not be: one that two leases have, one
// that is less than what was given out before, and one that is more than what may have been.
// A message that is dead goes on counting, and keeps its id.
func (v *queueView) judgeReceives() {
	for _, body := range v.bodies {
		m := v.messages[body]
		v.judgeCounts(m)
	}
}

func (v *queueView) judgeCounts(m *message) {
	for _, l := range m.leases {
		before, possible := uint64(0), uint64(0)
		for _, other := range m.leases {
			if other == l || other.MessageID != l.MessageID {
				continue
			}
			if other.Count == l.Count {
				v.accuse("counts", m, "two leases of %q are both the %s", m.body, nth(l.Count))
				return
			}
			if other.given.before(l.given) {
				before++
			}
			if other.given.Begin < l.given.End {
				possible++
			}
		}
		for queue, lost := range v.lost {
			for _, o := range lost {
				if o.Begin < l.given.End && (queue == l.queue || v.mayHaveDiedIn(queue, l)) {
					possible++
				}
			}
		}
		if l.Count <= before || l.Count > possible+1 {
			v.accuse("counts", m, "%q was received for the %s time, after %d to %d receives", m.body, nth(l.Count), before, possible)
			return
		}
	}
}

// mayHaveDiedIn reports whether the message of a lease may be dead because of receives from
// another queue.
func (v *queueView) mayHaveDiedIn(queue string, l *lease) bool {
	return l.DeadSource != "" && queue != l.queue && slices.Contains(v.reach(queue), l.queue)
}

// countedBefore returns how many receives from other queues a lease may count.
func (v *queueView) countedBefore(m *message, l *lease) (most uint64) {
	for queue, lost := range v.lost {
		if v.mayHaveDiedIn(queue, l) {
			most += uint64(len(lost))
		}
	}
	for _, other := range m.leases {
		if other.MessageID == l.MessageID && other.queue != l.queue {
			most++
		}
	}
	return most
}

// judgeDead finds messages that were received more often than they may be, such that are
// dead too soon, and such that were dead and came back though nobody moved them.
func (v *queueView) judgeDead() {
	for _, body := range v.bodies {
		m := v.messages[body]
		for _, l := range m.leases {
			if v.judgeDeadOf(m, l) {
				break
			}
		}
	}
}

func (v *queueView) judgeDeadOf(m *message, l *lease) (isFault bool) {
	rules := v.rules[l.queue]
	if rules.DeadQueue != "" && l.Count > rules.MaxReceives+v.countedBefore(m, l) {
		v.accuse("dead", m, "%q was received for the %s time from %s, where it is dead after %d", m.body, nth(l.Count), l.queue, rules.MaxReceives)
		return true
	}
	source, hasMoved := l.DeadSource, v.mayBeMoved(l.given)
	if hasMoved {
		return false
	}
	if isSentTo(m, l.queue) != (source == "") {
		v.accuse("dead", m, "%s gave out %q as one that came from %q", l.queue, m.body, source)
		return true
	}
	if source == "" {
		for _, other := range m.leases {
			if m.isOnce() && other.DeadSource == l.queue && other.given.before(l.given) {
				v.accuse("dead", m, "%q was dead, and then given out by %s again", m.body, l.queue)
				return true
			}
		}
		return false
	}
	possible := uint64(len(v.lost[source]))
	for _, other := range m.leases {
		if other.queue == source {
			possible = max(possible, other.Count+uint64(len(v.lost[source])))
		}
	}
	if most := v.rules[source].MaxReceives; v.rules[source].DeadQueue != l.queue || possible < most {
		v.accuse("dead", m, "%q is dead after %d receives from %s at most, and should not be before %d", m.body, possible, source, most)
		return true
	}
	return false
}

// isSentTo reports whether a message may have been sent to a queue.
func isSentTo(m *message, queue string) bool {
	for _, s := range m.sends {
		if s.Queue == queue {
			return true
		}
	}
	return false
}
