package check

// judgeGone finds messages that came back after they were deleted. A delete counts if it
// was acknowledged, and its lease surely was live then; or if the message came back with
// the count that follows the lease's, so that nobody can have had it between.
func (v *queueView) judgeGone() {
	for _, body := range v.bodies {
		m := v.messages[body]
		v.judgeGoneOf(m)
	}
}

func (v *queueView) judgeGoneOf(m *message) {
	for _, l := range m.leases {
		for _, s := range l.settles {
			for _, back := range m.leases {
				if !s.isSure() || back == l || !s.before(back.given) || !m.isOnce() && !back.isOfSame(l) {
					continue
				}
				if l.isSurelyLive(s) || back.isOfSame(l) && back.Count == l.Count+1 {
					v.accuse("deleted and back", m, "%q was deleted by client %d, and later given to client %d", m.body, s.Client, back.given.Client)
					return
				}
			}
		}
	}
}

// isSurelyLive reports whether the lease surely was live when an operation took effect.
func (l *lease) isSurelyLive(o *QueueOperation) bool {
	return o.Outcome == Known && o.Latest < l.endFor(o)
}

// judgePurges finds messages that were in a queue before it was purged, and were given
// out there after that.
func (v *queueView) judgePurges() {
	for _, body := range v.bodies {
		m := v.messages[body]
		for _, l := range m.leases {
			if p := v.purgedBefore(m, l); p != nil {
				v.accuse("purged and back", m, "%q was given to client %d after %s had been purged: %s", body, l.given.Client, l.queue, v.told(p))
				break
			}
		}
	}
}

// purgedBefore returns a purge that surely came before a lease of a message that surely
// was there before the purge; or nil.
func (v *queueView) purgedBefore(m *message, l *lease) *QueueOperation {
	for _, p := range v.purges[l.queue] {
		if !p.isSure() || !p.before(l.given) {
			continue
		}
		for _, s := range m.sends {
			if s.isSure() && s.before(p) && s.Queue == l.queue && s.MessageID != "" && s.MessageID == l.MessageID && s.NotBefore == 0 {
				return p
			}
		}
		for _, other := range m.leases {
			if other.isOfSame(l) && other.given.before(p) {
				return p
			}
		}
	}
	return nil
}
