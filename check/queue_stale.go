package check

// judgeStale finds handles that were good for something after somebody else had been
// given the message, and such that were good for nothing while their lease surely was live.
func (v *queueView) judgeStale() {
	for _, body := range v.bodies {
		m := v.messages[body]
		for _, l := range m.leases {
			v.judgeStaleOf(m, l)
		}
	}
}

func (v *queueView) judgeStaleOf(m *message, l *lease) {
	rules := v.rules[l.queue]
	for _, c := range l.changes {
		if next := l.superseded(c); next != nil && c.isSure() {
			v.accuse("stale", m, "client %d changed its lease of %q although client %d had been given the message since", c.Client, m.body, next.given.Client)
			return
		}
		if v.isWronglyRefused(m, l, c) {
			v.accuse("stale", m, "client %d had a live lease of %q, and could not change it", c.Client, m.body)
			return
		}
	}
	for _, s := range l.settles {
		if next := l.superseded(s); next != nil && s.isSure() && (rules.IsFIFO || rules.IsStrict) && next.isOfSame(l) && v.isStillThere(m, next, s) {
			v.accuse("stale", m, "client %d was told that it had deleted %q although client %d had been given the message since", s.Client, m.body, next.given.Client)
			return
		}
		if next := m.givenDead(l, s); next != nil && s.isSure() && (rules.IsFIFO || rules.IsStrict) && s.Latest < l.given.Earliest+handlesKnown && !v.mayBePurged(m) {
			v.accuse("stale", m, "client %d was told that it had deleted %q although it was dead, and client %d had been given it from %s", s.Client, m.body, next.given.Client, next.queue)
			return
		}
		if v.isWronglyRefused(m, l, s) {
			v.accuse("stale", m, "client %d had a live lease of %q, and could not delete it", s.Client, m.body)
			return
		}
	}
}

// handlesKnown is for how many milliseconds, at least, a queue knows the handles of a message that died.
const handlesKnown = 12 * 3600_000

// givenDead returns a lease that was surely given to somebody by the queue for dead messages
// that the message of another lease had gone to, before an operation; else nil.
func (m *message) givenDead(l *lease, o *QueueOperation) *lease {
	for _, other := range m.leases {
		if other.DeadSource == l.queue && other.MessageID == l.MessageID && other.given.before(o) {
			return other
		}
	}
	return nil
}

// isStillThere reports whether a message surely was in the queue of a lease when an
// operation took effect: it was given out later, or the lease was live and not used.
func (v *queueView) isStillThere(m *message, l *lease, o *QueueOperation) bool {
	for _, other := range m.leases {
		if other.isOfSame(l) && o.before(other.given) {
			return true
		}
	}
	return l.isSurelyLive(o) && l.firstSettle() > o.End && !v.mayBePurged(m) && !v.mayBeTooOldAt(l, o)
}

// firstSettle is when somebody first began to delete the message by the lease.
func (l *lease) firstSettle() int64 {
	first := int64(Always)
	for _, s := range l.settles {
		if s.mayHaveHappened() {
			first = min(first, s.Begin)
		}
	}
	return first
}

// isWronglyRefused reports whether an operation was answered with no although its lease
// surely was live, and the message there. Who has no lease can not have removed the
// message, if all is well: deletes by others do not count.
func (v *queueView) isWronglyRefused(m *message, l *lease, o *QueueOperation) bool {
	if o.Outcome != Known || o.IsDone || !l.isSurelyLive(o) || v.mayBePurged(m) || v.mayBeTooOldAt(l, o) {
		return false
	}
	return l.firstSettle() > o.End
}
