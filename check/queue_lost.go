package check

// judgeLost finds messages that were accepted and never removed by anybody: at the
// end, when all queues are empty, they are nowhere. That a delete with a superseded handle
// does nothing is seen here, too: what it removed is lost.
func (v *queueView) judgeLost() {
	for _, body := range v.bodies {
		m := v.messages[body]
		accepted := firstSure(m.sends)
		if accepted == nil || len(m.removals()) > 0 || v.mayBePurged(m) || v.mayBeTooOld(accepted) || v.mayBeRepetition(accepted) {
			continue
		}
		late := 0
		for _, l := range m.leases {
			late += len(l.settles)
		}
		switch {
		case late > 0:
			v.accuse("lost", m, "%q was accepted by %s, and deleted only with leases that others had been given after; at the end it is nowhere", body, accepted.Queue)
		case len(m.leases) > 0:
			v.accuse("lost", m, "%q was accepted by %s, received %d times and never deleted; at the end it is nowhere", body, accepted.Queue, len(m.leases))
		default:
			v.accuse("lost", m, "%q was accepted by %s and never received; at the end it is nowhere", body, accepted.Queue)
		}
	}
}

func firstSure(all []*QueueOperation) *QueueOperation {
	for _, o := range all {
		if o.isSure() {
			return o
		}
	}
	return nil
}

// mayBePurged reports whether a purge of a queue that the message may have been in was
// asked for after it was sent.
func (v *queueView) mayBePurged(m *message) bool {
	for _, s := range m.sends {
		for _, queue := range v.reach(s.Queue) {
			for _, p := range v.purges[queue] {
				if p.Outcome != Known || p.End > s.Begin {
					return true
				}
			}
		}
	}
	return false
}

// judgeOrigins finds messages that nobody sent, that were sent somewhere else, and such
// that are there more often than they were sent.
func (v *queueView) judgeOrigins() {
	for _, body := range v.bodies {
		m := v.messages[body]
		ids := map[string]bool{}
		for _, l := range m.leases {
			ids[l.MessageID] = true
			if !v.hasOrigin(l) {
				v.accuse("invented", m, "%s gave out %q, which nobody had sent there", l.queue, body)
				break
			}
		}
		if len(ids) > len(m.sends) && len(m.sends) > 0 && !v.mayBeMoved(m.leases[len(m.leases)-1].given) {
			v.accuse("sent twice", m, "%q was sent %d times and is there as %d messages", body, len(m.sends), len(ids))
		}
	}
	for _, o := range v.strays {
		if o.isSure() && o.Kind == Change {
			v.accuse("stale", nil, "nobody was given the lease: %s", v.told(o))
		}
	}
}

// hasOrigin reports whether a delivery is of a message that may have been sent before, to
// that queue or to one from which it can have come there.
func (v *queueView) hasOrigin(l *lease) bool {
	for _, s := range l.message.sends {
		if s.Begin > l.given.End {
			continue
		}
		if v.mayBeMoved(l.given) {
			return true
		}
		for _, queue := range v.reach(s.Queue) {
			if queue == l.queue {
				return true
			}
		}
	}
	return false
}
