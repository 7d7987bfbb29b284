package check

import "slices"

// judgeAltered finds messages that were given out by the queue that they were sent to, and
// as something else than their senders asked for, or were told.
func (v *queueView) judgeAltered() {
	for _, body := range v.bodies {
		m := v.messages[body]
		for _, l := range m.leases {
			if what := v.alteredIn(m, l); what != "" {
				v.accuse("altered", m, "%s gave out %q with another %s than it was sent with: %s of group %q, number %d", l.queue, body, what, l.MessageID, l.Group, l.Sequence)
				break
			}
		}
	}
}

// alteredIn says what of a delivery is not as in any send of the message; empty: nothing.
// What a sender was not told, or the receiver, agrees with all. One that may have been
// moved has another id and number, and one that was dead and put back another number.
func (v *queueView) alteredIn(m *message, l *lease) string {
	agrees := func(isSame func(s *QueueOperation) bool) bool {
		return len(m.sends) == 0 || slices.ContainsFunc(m.sends, isSame)
	}
	rules := v.rules[l.queue]
	mayHaveDied := rules.DeadQueue != "" && l.Count > rules.MaxReceives
	switch {
	case !agrees(func(s *QueueOperation) bool { return s.Group == l.Group }):
		return "message group"
	case v.mayBeMoved(l.given) || !isSentTo(m, l.queue):
		return ""
	case !agrees(func(s *QueueOperation) bool { return s.MessageID == "" || s.MessageID == l.MessageID }) && l.MessageID != "":
		return "id"
	case rules.IsFIFO && !mayHaveDied && !agrees(func(s *QueueOperation) bool { return s.Sequence == 0 || s.Sequence == l.Sequence }) && l.Sequence != 0:
		return "number"
	}
	return ""
}
