package check

// judgeTallies finds numbers of messages that can not be: less than what surely was
// there, or more than what may have been.
func (v *queueView) judgeTallies() {
	for _, t := range v.whole {
		if !t.isSure() {
			continue
		}
		var least, most int64
		for _, body := range v.bodies {
			atLeast, atMost := v.share(v.messages[body], t)
			least, most = least+atLeast, most+atMost
		}
		if t.Total < least || t.Total > most {
			v.accuse("tally", nil, "%s; it must have had %d at least, and %d at most", v.told(t), least, most)
			return
		}
	}
}

// share says how often a message surely was in a queue when it was counted, and how often
// it may have been. It surely was there if it was given out later, or if nobody may have
// removed it.
func (v *queueView) share(m *message, t *QueueOperation) (least, most int64) {
	for _, s := range m.sends {
		if s.Begin < t.End && v.mayReach(s.Queue, t.Queue) {
			most++
		}
	}
	if most == 0 {
		return 0, 0
	}
	ids, isGone := map[string]bool{}, false
	for _, l := range m.leases {
		for _, s := range l.settles {
			isGone = isGone || s.isSure() && s.before(t) && l.isSurelyLive(s)
		}
		if l.queue == t.Queue && t.before(l.given) && v.wasThere(m, l, t) {
			ids[l.MessageID] = true
		}
	}
	if isGone && m.isOnce() {
		return 0, 0
	}
	if v.mayBeMoved(t) {
		return 0, most + int64(len(v.moves))
	}
	least = int64(len(ids))
	if least == 0 && v.isSurelyIn(m, t) {
		least = 1
	}
	return least, max(most, least)
}

// wasThere reports whether a message that was given out after a tally surely was in that
// queue before it.
func (v *queueView) wasThere(m *message, l *lease, t *QueueOperation) bool {
	for _, s := range m.sends {
		if s.isSure() && s.before(t) && s.Queue == t.Queue && s.MessageID != "" && s.MessageID == l.MessageID {
			return true
		}
	}
	for _, other := range m.leases {
		if other.isOfSame(l) && other.given.before(t) {
			return true
		}
	}
	return false
}

// mayReach reports whether a message that was sent to a queue may come to another.
func (v *queueView) mayReach(from, to string) bool {
	for _, queue := range v.reach(from) {
		if queue == to {
			return true
		}
	}
	return len(v.moves) > 0
}
