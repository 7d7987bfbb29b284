package check

import (
	"cmp"
	"slices"
)

// judgeRates finds queues that gave out more messages in some time than their rate allows,
// all together or of one message group.
func (v *queueView) judgeRates() {
	for _, queue := range v.limited(func(r QueueRules) bool { return r.Rate > 0 || r.GroupRate > 0 }) {
		rules, given := v.rules[queue], v.givenBy(queue)
		if rules.Rate > 0 && !v.keepsRate(queue, given, rules.Rate) {
			return
		}
		for _, group := range groupsOf(given) {
			if rules.GroupRate > 0 && !v.keepsRate(group.words(queue), group.leases, rules.GroupRate) {
				return
			}
		}
	}
}

// keepsRate says whether no more leases were given out in any time than a rate allows. A
// bucket that was full gives out a second's worth at once.
func (v *queueView) keepsRate(who string, given []*lease, rate int64) bool {
	given = slices.Clone(given)
	slices.SortStableFunc(given, func(a, b *lease) int { return cmp.Compare(a.given.Earliest, b.given.Earliest) })
	for i, first := range given {
		from := first.given.Earliest
		last := slices.Clone(given[i:])
		slices.SortStableFunc(last, func(a, b *lease) int { return cmp.Compare(a.given.Latest, b.given.Latest) })
		for n, l := range last { // n+1 messages were given out between from and then
			until := l.given.Latest
			if most := rate + rate*(until-from)/1000; int64(n+1) > most {
				v.accuse("rate", l.message, "%s gave out %d messages within %s, and may give out %d a second: from %q on, %q the last", who, n+1,
					seconds(until-from), rate, first.message.body, l.message.body)
				return false
			}
		}
	}
	return true
}

// groupLeases are the leases of one message group.
type groupLeases struct {
	name   string
	leases []*lease
}

func (g *groupLeases) words(queue string) string { return "message group " + g.name + " of " + queue }

// groupsOf returns the leases by message group, without those of none.
func groupsOf(given []*lease) (all []*groupLeases) {
	for _, l := range given {
		if l.Group == "" {
			continue
		}
		i := slices.IndexFunc(all, func(g *groupLeases) bool { return g.name == l.Group })
		if i < 0 {
			i, all = len(all), append(all, &groupLeases{name: l.Group})
		}
		all[i].leases = append(all[i].leases, l)
	}
	return all
}

// judgeInFlight finds receives after which more messages of a queue, or of one message
// group, were leased than may be.
func (v *queueView) judgeInFlight() {
	for _, queue := range v.limited(func(r QueueRules) bool { return r.MaxInFlight > 0 || r.GroupMaxInFlight > 0 }) {
		rules, given := v.rules[queue], v.givenBy(queue)
		if rules.MaxInFlight > 0 && !v.keepsCap(queue, queue, given, rules.MaxInFlight) {
			return
		}
		for _, group := range groupsOf(given) {
			if rules.GroupMaxInFlight > 0 && !v.keepsCap(queue, group.words(queue), group.leases, rules.GroupMaxInFlight) {
				return
			}
		}
	}
}

// keepsCap says whether no more leases of a queue were live at a time than may be. A lease
// counts as long as nobody may have ended it, and age did not.
func (v *queueView) keepsCap(queue, who string, given []*lease, most int64) bool {
	for _, l := range given {
		leased := int64(0)
		for _, other := range given {
			if other.given == l.given || other.given.before(l.given) && other.isHeldAt(l.given) && !v.mayBeGone(queue, l.given) && !v.mayBeTooOldAt(other, l.given) {
				leased++
			}
		}
		if leased > most {
			v.accuse("in flight", l.message, "%d messages of %s were leased, and %d may be, when %q was given out", leased, who, most, l.message.body)
			return false
		}
	}
	return true
}

// isHeldAt reports whether a lease surely counted when an operation took effect.
func (l *lease) isHeldAt(o *QueueOperation) bool {
	return l.isSurelyLive(o) && !slices.ContainsFunc(l.settles, func(s *QueueOperation) bool { return s.mayHaveHappened() && s.Begin < o.End })
}

// mayBeGone reports whether messages of a queue may have been purged or moved before an
// operation took effect.
func (v *queueView) mayBeGone(queue string, o *QueueOperation) bool {
	return v.mayBeMoved(o) || slices.ContainsFunc(v.purges[queue], func(p *QueueOperation) bool { return p.Begin < o.End })
}

// judgeRetention finds messages that were given out though their queue no longer keeps them.
// That counts from when a message arrived: of one that was delayed, nobody was told.
func (v *queueView) judgeRetention() {
	for _, queue := range v.limited(func(r QueueRules) bool { return r.Retention > 0 }) {
		for _, l := range v.givenBy(queue) {
			if l.SentAt > 0 && !isDelayed(l.message) && l.given.Earliest > l.SentAt+v.rules[queue].Retention {
				v.accuse("retention", l.message, "%s gave out %q %s after it was sent, and keeps messages for %s", queue, l.message.body,
					seconds(l.given.Earliest-l.SentAt), seconds(v.rules[queue].Retention))
				return
			}
		}
	}
}

func isDelayed(m *message) bool {
	return slices.ContainsFunc(m.sends, func(s *QueueOperation) bool { return s.Delay > 0 || s.NotBefore > 0 })
}

// mayBeTooOld reports whether a message that was accepted, and is nowhere, may be so since
// its queue does not keep messages for that long.
func (v *queueView) mayBeTooOld(accepted *QueueOperation) bool {
	keeps := v.rules[accepted.Queue].Retention
	return keeps > 0 && v.end >= accepted.Earliest+keeps
}

// mayBeTooOldAt reports whether a leased message may have been too old when an operation
// took effect: a lease does not keep it.
func (v *queueView) mayBeTooOldAt(l *lease, o *QueueOperation) bool { return v.isOverAge(l.SentAt, o) }

// isOverAge reports whether an operation may have found a message of some time too old.
func (v *queueView) isOverAge(sent int64, o *QueueOperation) bool {
	keeps := v.rules[o.Queue].Retention
	return keeps > 0 && o.Latest >= sent+keeps
}

// limited returns the queues of which a rule is asked for, in order.
func (v *queueView) limited(isAsked func(QueueRules) bool) (queues []string) {
	for queue, rules := range v.rules {
		if isAsked(rules) {
			queues = append(queues, queue)
		}
	}
	slices.Sort(queues)
	return queues
}

// givenBy returns all leases that a queue gave out and somebody was told of.
func (v *queueView) givenBy(queue string) (all []*lease) {
	for _, body := range v.bodies {
		for _, l := range v.messages[body].leases {
			if l.queue == queue {
				all = append(all, l)
			}
		}
	}
	return all
}
