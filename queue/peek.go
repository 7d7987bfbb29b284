package queue

// PeekMessages looks at messages without leasing them, in order of arrival, a read;
// Peeked. After is the position of the last one seen, 0 at first.
type PeekMessages struct {
	QueueName           string
	After               uint64
	MaxNumberOfMessages int64
}

func (*PeekMessages) op() byte { return 'p' }
func (m *PeekMessages) fields(c *coder) {
	c.text(&m.QueueName)
	c.num(&m.After)
	c.int(&m.MaxNumberOfMessages)
}

// PeekedMessage is a message, without a receipt handle. State is ready, delayed,
// leased or retry; VisibleAt is when that ends, if it does by itself.
type PeekedMessage struct {
	Message  Message
	Position uint64
	State    string
}

// Peeked is the reply to PeekMessages.
type Peeked struct{ Messages []PeekedMessage }

func (m *Peeked) fields(c *coder) {
	list(c, &m.Messages, func(p *PeekedMessage) {
		p.Message.fields(c)
		c.num(&p.Position)
		c.text(&p.State)
	})
}

func (e *entry) peek(c *PeekMessages) (Reply, *Error) {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return nil, err
	}
	if c.MaxNumberOfMessages < 1 || c.MaxNumberOfMessages > MaxListed {
		return nil, invalid("Value for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 1000.")
	}
	reply := &Peeked{}
	size := 0
	number, ok := e.next(q.live(), c.After)
	for ok && len(reply.Messages) < int(c.MaxNumberOfMessages) && size < 8*MaxMessageBytes {
		m, l := e.body(q, number), e.lease(q, number)
		size += len(m.entry.MessageBody)
		message := e.message(q, number, m, &l)
		message.ReceiptHandle = ""
		reply.Messages = append(reply.Messages, PeekedMessage{Message: message, Position: number + 1, State: stateNames[l.state]})
		number, ok = e.next(q.live(), number+1)
	}
	return reply, nil
}
