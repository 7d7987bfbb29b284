package check

// judgeOnce finds messages of FIFO queues that are there twice although they were sent
// with one deduplication id, within its window.
func (v *queueView) judgeOnce() {
	for _, body := range v.bodies {
		m := v.messages[body]
		if len(m.sends) < 2 {
			continue
		}
		v.judgeAnswers(m)
		v.judgeCopies(m)
	}
}

// judgeAnswers compares what the senders were told.
func (v *queueView) judgeAnswers(m *message) {
	for i, a := range m.sends {
		for _, b := range m.sends[i+1:] {
			window := v.rules[a.Queue].Window
			isWithin := a.Latest < Always && b.Latest < Always && max(a.Latest, b.Latest)-min(a.Earliest, b.Earliest) < window
			if a.Duplicate == "" || a.Duplicate != b.Duplicate || !isWithin || a.MessageID == b.MessageID && a.Sequence == b.Sequence {
				continue
			}
			v.accuse("sent twice", m, "%q was sent twice with the deduplication id %q, and became two messages: number %d and number %d", m.body, a.Duplicate, a.Sequence, b.Sequence)
			return
		}
	}
}

// judgeCopies compares what was given out.
func (v *queueView) judgeCopies(m *message) {
	for i, a := range m.leases {
		for _, b := range m.leases[i+1:] {
			window := v.rules[m.sends[0].Queue].Window
			apart := max(a.SentAt, b.SentAt) - min(a.SentAt, b.SentAt)
			if a.MessageID == b.MessageID || a.queue != b.queue || a.SentAt == 0 || b.SentAt == 0 || apart >= window || v.mayBeMoved(b.given) || v.mayBeMoved(a.given) {
				continue
			}
			v.accuse("sent twice", m, "%q was sent with one deduplication id, and given out as two messages, sent %s apart", m.body, seconds(apart))
			return
		}
	}
}
