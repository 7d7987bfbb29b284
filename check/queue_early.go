package check

import "math"

// judgeEarly finds messages that were given out before their delay was over, or before
// the time that they were scheduled for.
func (v *queueView) judgeEarly() {
	for _, body := range v.bodies {
		m := v.messages[body]
		due := int64(math.MaxInt64)
		for _, s := range m.sends {
			due = min(due, max(s.NotBefore, s.Earliest+s.Delay))
		}
		for _, l := range m.leases {
			if len(m.sends) > 0 && l.given.Latest < due {
				v.accuse("early", m, "%q was given out %s too early, at least", body, seconds(due-l.given.Latest))
				break
			}
		}
	}
}
