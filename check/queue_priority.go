package check

import "slices"

// judgePriority finds messages that were given out while another one of a higher priority
// was ready, and was not given out then.
//
// What it can not see: what a limit of a message group may have held back, and a message
// that was received before or was sent to come later.
func (v *queueView) judgePriority() {
	for _, body := range v.bodies {
		m := v.messages[body]
		var less *lease
		passed := v.whileReady(m, func(o *QueueOperation) bool {
			less = v.lessUrgent(m, o)
			return less != nil
		})
		if passed != nil {
			v.accuse("priority", m, "%s gave out %q of priority %d while %q of priority %d was ready%s", passed.Queue, less.Body, less.message.sends[0].Priority,
				body, m.sends[0].Priority, v.around(less.message))
		}
	}
}

// lessUrgent returns a message of a lower priority that a receive was given, if no limit
// can have held the more urgent one back; or nil.
func (v *queueView) lessUrgent(urgent *message, o *QueueOperation) *lease {
	rules, sent := v.rules[o.Queue], urgent.sends[0]
	if !rules.HasPriority || sent.Group != "" && rules.GroupRate+rules.GroupMaxInFlight > 0 {
		return nil
	}
	for _, d := range o.Deliveries {
		l := v.leases[d.Handle]
		isLess := func(s *QueueOperation) bool { return s.Priority < sent.Priority }
		if l.given == o && len(l.message.sends) > 0 && !slices.ContainsFunc(l.message.sends, func(s *QueueOperation) bool { return !isLess(s) }) {
			return l
		}
	}
	return nil
}
