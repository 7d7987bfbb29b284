package check

import "slices"

// judgeOnce finds messages of FIFO queues that are there twice although they were sent
// with one deduplication id, within its window, whatever their bodies are.
//
// What it can not see: two of two message groups, as an id may count for one group only.
func (v *queueView) judgeOnce() {
	for _, body := range v.bodies {
		for _, s := range v.messages[body].sends {
			all := v.alike(s)
			if len(all) < 2 || all[0] != s {
				continue
			}
			if !v.judgeAnswers(all) {
				v.judgeCopies(all)
			}
		}
	}
}

// once is what makes one message of several sends.
type once struct{ queue, duplicate string }

// alike returns the sends that may have happened with the deduplication id of one, that
// one included, in order of beginning; none if it has no such id.
func (v *queueView) alike(s *QueueOperation) []*QueueOperation {
	return v.repeats[once{s.Queue, s.Duplicate}]
}

// mayBeRepetition reports whether a send that was accepted may have been taken for a
// repetition of one with another body. Then there is no message of its own.
func (v *queueView) mayBeRepetition(s *QueueOperation) bool {
	return slices.ContainsFunc(v.alike(s), func(other *QueueOperation) bool {
		return other.Body != s.Body && (!other.isSure() || other.MessageID == s.MessageID)
	})
}

// judgeAnswers compares what the senders were told.
func (v *queueView) judgeAnswers(all []*QueueOperation) (isFault bool) {
	for i, a := range all {
		for _, b := range all[i+1:] {
			window := v.rules[a.Queue].Window
			isWithin := a.Latest < Always && b.Latest < Always && max(a.Latest, b.Latest)-min(a.Earliest, b.Earliest) < window
			if !isWithin || a.Group != b.Group || a.MessageID == b.MessageID && a.Sequence == b.Sequence {
				continue
			}
			v.accuse("sent twice", v.messages[a.Body], "two sends with the deduplication id %q, of %q and %q, became two messages: number %d and number %d",
				a.Duplicate, a.Body, b.Body, a.Sequence, b.Sequence)
			return true
		}
	}
	return false
}

// judgeCopies compares what was given out.
func (v *queueView) judgeCopies(all []*QueueOperation) {
	var leases []*lease
	for i, s := range all {
		if !slices.ContainsFunc(all[:i], func(before *QueueOperation) bool { return before.Body == s.Body }) {
			leases = append(leases, v.messages[s.Body].leases...)
		}
	}
	for i, a := range leases {
		for _, b := range leases[i+1:] {
			window := v.rules[all[0].Queue].Window
			apart := max(a.SentAt, b.SentAt) - min(a.SentAt, b.SentAt)
			if a.MessageID == b.MessageID || a.queue != b.queue || a.Group != b.Group || a.SentAt == 0 || b.SentAt == 0 || apart >= window || v.mayBeMoved(b.given) || v.mayBeMoved(a.given) {
				continue
			}
			v.accuse("sent twice", a.message, "%q and %q were sent with one deduplication id, and given out as two messages, sent %s apart", a.Body, b.Body, seconds(apart))
			return
		}
	}
}
