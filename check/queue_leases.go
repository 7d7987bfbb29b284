package check

// judgeLeases finds messages that two had a lease of at a time: a message was given to
// somebody while a lease that somebody else had of it surely was not over. So a message
// comes twice only where a lease ran out, or was given back.
func (v *queueView) judgeLeases() {
	for _, body := range v.bodies {
		m := v.messages[body]
		v.judgeLeasesOf(m)
	}
}

func (v *queueView) judgeLeasesOf(m *message) {
	for _, l := range m.leases {
		if l.stolen != nil {
			v.accuse("two leases", m, "client %d was given the lease of %q that client %d had: %s", l.stolen.Client, m.body, l.given.Client, v.told(l.stolen))
			return
		}
	}
	for _, second := range m.leases {
		for _, first := range m.leases {
			if first == second || !second.after(first) || !first.isOfSame(second) && !m.isOnce() {
				continue
			}
			if until := first.endFor(second.given); second.given.Latest < until {
				v.accuse("two leases", m, "%q was given to client %d when client %d still had a lease of it, for %s at least",
					m.body, second.given.Client, first.given.Client, seconds(until-second.given.Latest))
				return
			}
		}
	}
}
