package check

import "time"

// Bounded decides for every read of LevelBounded whether what it saw was
// current at some time between Age before its beginning and its end: whether it
// lacks no change that had surely taken effect before then.
//
// It judges nothing that Eventual already finds impossible; ask both (WeakReads
// does). It can not see that a read is too old where no change with an answer, or
// that somebody saw, tells it: between two of them any state may be the current
// one. In a set or a list, it can not tell from a missing element that somebody may have
// taken out.
func Bounded(history []Operation) Verdict {
	v := newVerdict(history)
	v.bounded(timelines(history))
	return v
}

func (v *Verdict) bounded(all []*timeline) {
	for _, t := range all {
		for _, r := range t.reads {
			if r.Level == LevelBounded && t.family != noFamily {
				t.boundedRead(v, r)
			}
		}
	}
}

func (t *timeline) boundedRead(v *Verdict, r event) {
	oldest := r.Begin - r.Age
	ways, _ := t.possible(v, r)
	missing := -1
	for _, way := range ways {
		i := t.firstBefore(way.lacks, oldest)
		if i < 0 {
			return // this way explains it
		}
		missing = i
	}
	if missing < 0 {
		return // Eventual's
	}
	c := t.changes[missing]
	v.fault("key %q: older than its bound of %v: %s; it does not show that %s, which was done %v before the read began\n%s",
		t.key, time.Duration(r.Age), v.describe(r.Operation), v.describe(c.Operation), time.Duration(r.Begin-c.latest),
		v.window(t.all, r.Operation, r.End))
}
