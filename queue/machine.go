package queue

import "flotilla"

// Machine carries out the queue's commands. It implements flotilla.Machine.
type Machine struct{}

var _ flotilla.Machine = Machine{}

// Begin does what fell due: leases and delays that ended, messages that are too old,
// schedules, move tasks. What is more than an entry does waits for the next.
func (Machine) Begin(tx *flotilla.Tx) {
	e := entryOf(tx)
	for left := maxDuePerEntry; left > 0; {
		taken := e.takeDue(left)
		if len(taken) == 0 {
			break
		}
		left -= len(taken)
		for _, t := range taken {
			if q := e.queueOf(t.gen); q != nil {
				left -= e.fire(q, t)
			}
		}
	}
	if next := e.nextDue(); next != flotilla.Never {
		tx.WakeAt(next)
	}
}

// fire does what one timer is for. It returns how much work that was, beyond one.
func (e *entry) fire(q *queue, t timer) (work int) {
	switch t.kind {
	case timerMessage:
		e.messageDue(q, t.number)
	case timerExpiry:
		e.expireOne(q, t.number)
	case timerGroup:
		e.groupDue(q, t.number)
	case timerQueue:
		q.rateWakeAt, q.isHeaderChanged, q.hasNews = 0, true, true
	case timerMove:
		return e.moveOn(q, t.number)
	case timerRecurring:
		e.recur(q, t.number)
	case timerSchedule:
		e.scheduleDue(q, t.number)
	case timerSweep:
		q.sweepAt, q.isHeaderChanged = 0, true
		return e.sweep(q, maxDuePerEntry/10)
	case timerMoved:
		e.tx.Delete(e.numberKey(q, spaceMoved, t.number))
	case timerTombstone:
		e.forgetQueue(q)
	}
	return 0
}

// Apply carries out one command. Its reply is valid until the next one.
func (Machine) Apply(tx *flotilla.Tx, command []byte) []byte {
	e := entryOf(tx)
	e.out = e.out[:0]
	if cap(e.out) > keptRoom {
		e.out = nil
	}
	reply, err := e.apply(command)
	e.out = e.coder.appendReply(e.out, reply, err)
	return e.out
}

// keptRoom is how much memory for replies is kept from command to command.
const keptRoom = 64 << 10

// End writes what the entry's commands changed.
func (Machine) End(tx *flotilla.Tx) {
	if e, ok := tx.Scratch.(*entry); ok {
		e.save()
	}
}

// Deadline returns when the next thing falls due.
func (Machine) Deadline(r flotilla.Reader) flotilla.Millis { return newEntry(r, nil, 0).nextDue() }

// decodeCommand returns the command that was encoded, or nil.
func decodeCommand(b []byte) Command {
	if len(b) < 2 || b[0] != byte(flotilla.SystemQueue) {
		return nil
	}
	command := newCommand(b[1])
	if command == nil || !decode(b[2:], command) {
		return nil
	}
	return command
}

// newCommand returns an empty command of the operation, those of every job first.
func newCommand(op byte) Command {
	switch op {
	case opSend:
		return &SendMessageBatch{}
	case opReceive:
		return &ReceiveMessage{}
	case opDelete:
		return &DeleteMessageBatch{}
	}
	for _, c := range otherCommands() {
		if c.op() == op {
			return c
		}
	}
	return nil
}

// otherCommands are all but those of every job. No two may have one operation.
func otherCommands() []Command {
	return []Command{&ChangeMessageVisibilityBatch{}, &CreateQueue{}, &DeleteQueue{}, &PurgeQueue{}, &SetQueueAttributes{},
		&TagQueue{}, &UntagQueue{}, &GetQueueAttributes{}, &ListQueues{}, &ListDeadLetterSourceQueues{}, &PeekMessages{},
		&ReadOutbox{}, &Deliver{}, &SettleOutbox{}, &StartMessageMoveTask{}, &CancelMessageMoveTask{}, &ListMessageMoveTasks{},
		&AddPermission{}, &RemovePermission{},
		&ReportProgress{}, &DescribeJob{}, &PutRecurring{}, &DeleteRecurring{}, &ListRecurring{}, &SummarizeQueues{},
		&ReadPlan{}, &MatchPartition{}, &SettlePlan{}, &FindReady{}}
}

func malformed() *Error {
	return &Error{Code: CodeInternal, Message: "the command can not be decoded"}
}

// apply carries out a command that changes something.
func (e *entry) apply(b []byte) (Reply, *Error) {
	switch c := decodeCommand(b).(type) {
	case *SendMessageBatch:
		return e.sendBatch(c)
	case *ReceiveMessage:
		return e.receive(c)
	case *DeleteMessageBatch:
		return e.deleteBatch(c)
	case *ChangeMessageVisibilityBatch:
		return e.changeBatch(c)
	case *CreateQueue:
		return e.createQueue(c)
	case *DeleteQueue:
		return e.deleteQueue(c)
	case *PurgeQueue:
		return e.purgeQueue(c)
	case *SetQueueAttributes:
		return e.setAttributes(c)
	case *MatchPartition:
		return &Done{}, e.matchPartition(c)
	case *SettlePlan:
		return &Done{}, e.settlePlan(c)
	case *TagQueue:
		return &Done{}, e.tagQueue(c)
	case *UntagQueue:
		return &Done{}, e.untagQueue(c)
	case *AddPermission:
		return &Done{}, e.addPermission(c)
	case *RemovePermission:
		return &Done{}, e.removePermission(c)
	case *StartMessageMoveTask:
		return e.startMove(c)
	case *CancelMessageMoveTask:
		return e.cancelMove(c)
	case *ReportProgress:
		return &Done{}, e.reportProgress(c)
	case *PutRecurring:
		return &Done{}, e.putRecurring(c)
	case *DeleteRecurring:
		return &Done{}, e.deleteRecurring(c)
	case *Deliver:
		return e.deliver(c)
	case *SettleOutbox:
		return &Done{}, e.settleOutbox(c)
	}
	return nil, malformed()
}

// Read answers a command that changes nothing; others are refused.
func (Machine) Read(view *flotilla.View, command []byte) []byte {
	e := newEntry(view.Reader, nil, max(view.Now, view.Time))
	reply, err := e.read(command)
	return new(coder).appendReply(nil, reply, err)
}

func (e *entry) read(b []byte) (Reply, *Error) {
	switch c := decodeCommand(b).(type) {
	case *GetQueueAttributes:
		return e.getAttributes(c)
	case *ListQueues:
		return e.listQueues(c)
	case *ListDeadLetterSourceQueues:
		return e.listSources(c)
	case *PeekMessages:
		return e.peek(c)
	case *ListMessageMoveTasks:
		return e.listMoves(c)
	case *DescribeJob:
		return e.describeJob(c)
	case *ListRecurring:
		return e.listRecurring(c)
	case *SummarizeQueues:
		return e.summarize(c)
	case *ReadOutbox:
		return e.readOutbox(c)
	case *ReadPlan:
		return e.readPlan(c)
	case *FindReady:
		return e.findReady(c)
	}
	return nil, malformed()
}
