package queue

import (
	"slices"
	"strconv"

	"flotilla"
)

// StartMessageMoveTask begins to move the messages that a queue has ready to
// another, or each to the queue that it was moved from; MoveStarted.
type StartMessageMoveTask struct {
	SourceQueue                  string
	DestinationQueue             string // "": each message's own
	MaxNumberOfMessagesPerSecond int64  // 0: as many as may be
	IsDestinationElsewhere       bool   // it was found in another group
	LastTask                     string // the last one of a spread queue, which was seen to have ended everywhere
}

func (*StartMessageMoveTask) op() byte { return 'M' }
func (m *StartMessageMoveTask) fields(c *coder) {
	c.text(&m.SourceQueue)
	c.text(&m.DestinationQueue)
	c.int(&m.MaxNumberOfMessagesPerSecond)
	c.bool(&m.IsDestinationElsewhere)
	c.text(&m.LastTask)
}

// MoveStarted names the task.
type MoveStarted struct {
	TaskHandle string
	begun      Done
}

func (m *MoveStarted) fields(c *coder) { c.text(&m.TaskHandle); m.begun.fields(c) }

// CancelMessageMoveTask stops a task; MoveCancelled. SourceQueue is the part of the
// handle before the colon.
type CancelMessageMoveTask struct {
	SourceQueue, TaskHandle string
	isForPlan               bool // it was seen to run, in the partitions of a spread queue
}

func (*CancelMessageMoveTask) op() byte { return 'K' }
func (m *CancelMessageMoveTask) fields(c *coder) {
	c.text(&m.SourceQueue)
	c.text(&m.TaskHandle)
	c.tail(m.isForPlan, func() { c.bool(&m.isForPlan) })
}

// MoveCancelled says how many messages the task had moved.
type MoveCancelled struct {
	ApproximateNumberOfMessagesMoved uint64
	begun                            Done
}

func (m *MoveCancelled) fields(c *coder) {
	c.num(&m.ApproximateNumberOfMessagesMoved)
	m.begun.fields(c)
}

// ListMessageMoveTasks asks for a queue's tasks, the newest first, a read; MoveTasks.
type ListMessageMoveTasks struct{ SourceQueue string }

func (*ListMessageMoveTasks) op() byte          { return 'm' }
func (m *ListMessageMoveTasks) fields(c *coder) { c.text(&m.SourceQueue) }

// The states of a task, in SQS's words.
const (
	MoveRunning   = "RUNNING"
	MoveCompleted = "COMPLETED"
	MoveStopped   = "CANCELLED"
	MoveFailed    = "FAILED"
)

// reasonNoQueue is why a task fails whose messages have nowhere to go.
const reasonNoQueue = "AWS.SimpleQueueService.NonExistentQueue"

// MoveTask is a task with its progress.
type MoveTask struct {
	TaskHandle                        string // only of interest while it runs
	Status                            string
	DestinationQueue                  string
	MaxNumberOfMessagesPerSecond      int64
	ApproximateNumberOfMessagesMoved  uint64
	ApproximateNumberOfMessagesToMove uint64 // when it was started
	FailureReason                     string
	StartedTimestamp                  flotilla.Millis

	isElsewhere bool
	next, end   uint64 // the messages that are left
	version     uint64 // tells its timer from that of a task before it
}

func (m *MoveTask) fields(c *coder) {
	c.text(&m.TaskHandle)
	c.text(&m.Status)
	c.text(&m.DestinationQueue)
	c.int(&m.MaxNumberOfMessagesPerSecond)
	c.num(&m.ApproximateNumberOfMessagesMoved)
	c.num(&m.ApproximateNumberOfMessagesToMove)
	c.text(&m.FailureReason)
	c.millis(&m.StartedTimestamp)
	c.bool(&m.isElsewhere)
	c.num(&m.next)
	c.num(&m.end)
	c.num(&m.version)
}

// MoveTasks is the reply to ListMessageMoveTasks.
type MoveTasks struct{ Results []MoveTask }

func (m *MoveTasks) fields(c *coder) { list(c, &m.Results, func(t *MoveTask) { t.fields(c) }) }

func (e *entry) moves(q *queue) (all MoveTasks) {
	if value, ok := e.r.Get(dataKey(q.gen, spaceMoves)); ok {
		mustDecode(value, &all)
	}
	return all
}

func (e *entry) saveMoves(q *queue, all MoveTasks) {
	e.tx.Set(dataKey(q.gen, spaceMoves), encode(nil, &all))
}

func (e *entry) startMove(c *StartMessageMoveTask) (Reply, *Error) {
	q := e.queue(c.SourceQueue)
	if q == nil {
		return nil, &Error{Code: CodeResourceNotFound, Message: "The resource that you specified for the SourceArn parameter doesn't exist."}
	}
	if c.MaxNumberOfMessagesPerSecond < 0 || c.MaxNumberOfMessagesPerSecond > MaxMovesPerSecond {
		return nil, invalid("Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.")
	}
	if err := e.checkDestination(q, c); err != nil {
		return nil, err
	}
	w := wish{task: c.SourceQueue + ":" + strconv.FormatUint(e.tx.Version(), 16), destination: c.DestinationQueue,
		rate: c.MaxNumberOfMessagesPerSecond, isElsewhere: c.IsDestinationElsewhere}
	reply := &MoveStarted{TaskHandle: w.task}
	isRunning := q.move.task != c.LastTask && !q.move.isStopped
	if !q.isSpread() {
		all := e.moves(q)
		isRunning = len(all.Results) > 0 && all.Results[0].Status == MoveRunning
	}
	if isRunning {
		return nil, invalid("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	if q.isSpread() {
		q.move = w
		reply.begun = *e.changePlan(q)
		return reply, nil
	}
	e.beginMove(q, w)
	return reply, nil
}

// beginMove starts a task with what a queue has now.
func (e *entry) beginMove(q *queue, w wish) {
	all := e.moves(q)
	task := MoveTask{TaskHandle: w.task, Status: MoveRunning, DestinationQueue: w.destination, MaxNumberOfMessagesPerSecond: w.rate,
		ApproximateNumberOfMessagesToMove: q.counters.Ready, StartedTimestamp: e.now, isElsewhere: w.isElsewhere,
		end: q.nextNumber, version: e.tx.Version()}
	if q.count > 0 { // where the destination is, only the home of the queue knows
		task.isElsewhere = w.destination != ""
	}
	all.Results = append([]MoveTask{task}, all.Results...)
	all.Results = all.Results[:min(len(all.Results), MaxMoveTasks)]
	e.saveMoves(q, all)
	e.arm(timer{at: e.now, gen: q.gen, kind: timerMove, number: task.version})
}

// stopMove stops a task that runs, and returns how much it had moved.
func (e *entry) stopMove(q *queue, task string) (moved uint64, ok bool) {
	all := e.moves(q)
	if len(all.Results) == 0 || all.Results[0].TaskHandle != task || all.Results[0].Status != MoveRunning {
		return 0, false
	}
	all.Results[0].Status = MoveStopped
	e.saveMoves(q, all)
	return all.Results[0].ApproximateNumberOfMessagesMoved, true
}

// checkDestination says whether messages can be moved to where a task wants them. What type
// of queue that is its name tells, in whichever group it may be.
func (e *entry) checkDestination(q *queue, c *StartMessageMoveTask) *Error {
	if c.DestinationQueue == "" {
		return nil
	}
	if isFIFOName(c.DestinationQueue) != q.settings.isFIFO() {
		return invalid("Value for parameter DestinationArn is invalid. Reason: It must be a queue of the same type.")
	}
	target := e.queue(c.DestinationQueue)
	if target == nil && !c.IsDestinationElsewhere {
		return &Error{Code: CodeResourceNotFound, Message: "The resource that you specified for the DestinationArn parameter doesn't exist."}
	}
	if target == q {
		return invalid("Source queue arn and destination queue arn cannot be the same.")
	}
	return nil
}

func (e *entry) cancelMove(c *CancelMessageMoveTask) (Reply, *Error) {
	q := e.queue(c.SourceQueue)
	if q == nil {
		return nil, &Error{Code: CodeResourceNotFound, Message: "The resource that you specified for the SourceArn parameter doesn't exist."}
	}
	if q.isSpread() && !c.isForPlan {
		return nil, q.isSpreadError()
	}
	reply := &MoveCancelled{}
	ok := false
	if q.isSpread() {
		if ok = q.move.task == c.TaskHandle && !q.move.isStopped; ok {
			q.move.isStopped = true
			reply.begun = *e.changePlan(q)
		}
	} else {
		reply.ApproximateNumberOfMessagesMoved, ok = e.stopMove(q, c.TaskHandle)
	}
	if !ok {
		return nil, &Error{Code: CodeResourceNotFound, Message: "Task does not exist."}
	}
	return reply, nil
}

func (e *entry) listMoves(c *ListMessageMoveTasks) (Reply, *Error) {
	q := e.queue(c.SourceQueue)
	if q == nil {
		return nil, &Error{Code: CodeResourceNotFound, Message: "The resource that you specified for the SourceArn parameter doesn't exist."}
	}
	if q.isSpread() {
		return nil, q.isSpreadError()
	}
	all := e.moves(q)
	return &all, nil
}

// moveOn moves what a task may move at a time, of the messages that were there when
// it began. What is leased or delayed stays.
func (e *entry) moveOn(q *queue, version uint64) (work int) {
	all := e.moves(q)
	if len(all.Results) == 0 || all.Results[0].Status != MoveRunning || all.Results[0].version != version {
		return 0
	}
	task := &all.Results[0]
	most, pause := q.movePace(uint64(task.MaxNumberOfMessagesPerSecond))
	moved := uint64(0)
	for ; moved < most && work < MaxMovesPerSecond && task.Status == MoveRunning; work++ {
		number, ok := e.next(q.live(), task.next)
		if !ok || number >= task.end {
			task.Status = MoveCompleted
			break
		}
		task.next = number + 1
		if e.moveOne(q, number, task) {
			moved++
		}
	}
	task.ApproximateNumberOfMessagesMoved += moved
	e.saveMoves(q, all)
	if task.Status == MoveRunning {
		e.arm(timer{at: e.now + pause, gen: q.gen, kind: timerMove, number: task.version})
	}
	return work
}

// movePace returns how many messages a task moves at a time, and how long it then waits.
func (q *queue) movePace(rate uint64) (most uint64, pause flotilla.Millis) {
	switch {
	case rate == 0:
		return MaxMovesPerSecond, 1000
	case rate < q.count:
		return 1, flotilla.Millis(1000 * q.count / rate)
	}
	return q.share(rate), 1000
}

// moveOne moves a message, as a new one with a new id as on SQS, if it is ready.
func (e *entry) moveOne(q *queue, number uint64, task *MoveTask) bool {
	m, l := e.body(q, number), e.lease(q, number)
	if l.state != stateReady {
		return false
	}
	if e.expiry(q, m) <= e.now { // the queue keeps messages less long by now: a new one would live again
		e.expire(q, number, m)
		return false
	}
	w := way{to: task.DestinationQueue, isElsewhere: task.isElsewhere, task: task.version}
	if w.to == "" {
		w.to, w.isElsewhere = m.deadSource, m.deadSource != ""
	}
	moved := body{sent: e.now, entry: m.entry}
	if !e.move(q, number, m, &l, &moved, w) {
		task.Status, task.FailureReason = MoveFailed, reasonNoQueue
		if w.to == "" {
			task.FailureReason = "CouldNotDetermineMessageSource"
		}
		return false
	}
	e.happened(q, number, m, KindMoved, l.token, w.to)
	e.endJob(q, number, m, JobMoved, nil)
	return true
}

// moveFailed tells a task, which may have ended by now, that a message came back from
// another group: there is no such queue. What was cancelled stays so.
func (e *entry) moveFailed(q *queue, version uint64) {
	all := e.moves(q)
	i := slices.IndexFunc(all.Results, func(t MoveTask) bool { return t.version == version })
	if i < 0 {
		return // it is not remembered any more
	}
	task := &all.Results[i]
	task.ApproximateNumberOfMessagesMoved -= min(task.ApproximateNumberOfMessagesMoved, 1)
	if task.Status != MoveStopped {
		task.Status, task.FailureReason = MoveFailed, reasonNoQueue
	}
	e.saveMoves(q, all)
}
