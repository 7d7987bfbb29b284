package queue

import (
	"encoding/binary"

	"flotilla"
)

// What came of a job, for who asks by its message's id: kept by queues with the
// attribute ResultRetentionPeriod, for that many seconds after the job ended. Others only
// note where messages are whose ids do not say so, until they go: those that were scheduled,
// or are dead.
//
//	'q' 'd' gen:8 'j' id        → jobRecord
//	'q' 'd' gen:8 'e' number:8  → at:8 id, in order of when jobs ended
const (
	spaceJob   = 'j'
	spaceEnded = 'e'
)

// The states of a job, besides those of a message that is still there.
const (
	JobSucceeded = "succeeded"
	JobFailed    = "failed"
	JobDead      = "dead"    // moved to the queue for dead messages
	JobExpired   = "expired" // nobody did it in time
	JobMoved     = "moved"   // by a message move task; it has another id there
)

// jobRecord is what is known of a job apart from its message.
type jobRecord struct {
	number   uint64 // of the message, while there is one
	status   string // empty: look at the message
	progress []byte
	result   []byte
	ended    flotilla.Millis
}

func (j *jobRecord) fields(c *coder) {
	c.num(&j.number)
	c.text(&j.status)
	c.bytes(&j.progress)
	c.bytes(&j.result)
	c.millis(&j.ended)
}

func jobKey(gen uint64, id string) []byte { return append(dataKey(gen, spaceJob), id...) }

func (q *queue) keepsResults() bool { return q.settings.values[resultRetentionPeriod] > 0 }

// mayKnowJobs reports whether anything is kept of jobs, or of where they are.
func (q *queue) mayKnowJobs() bool { return q.keepsResults() || q.jobs > 0 }

// idOf returns the id of a message.
func (q *queue) idOf(number uint64, m *body) string {
	if m.id != "" {
		return m.id
	}
	return q.messageID(number)
}

func (e *entry) job(q *queue, id string) (j jobRecord, ok bool) {
	value, ok := e.r.Get(jobKey(q.gen, id))
	if ok {
		mustDecode(value, &j)
	}
	return j, ok
}

// saveJob writes what is known of a job, and counts it if it is new.
func (e *entry) saveJob(q *queue, id string, j jobRecord, isNew bool) {
	if isNew {
		q.jobs++
		q.isHeaderChanged = true
	}
	e.tx.Set(jobKey(q.gen, id), encode(nil, &j))
}

// saveJobNumber notes where a message is whose id does not say so.
func (e *entry) saveJobNumber(q *queue, id string, number uint64) {
	j, ok := e.job(q, id)
	j.number, j.status, j.ended = number, "", 0
	e.saveJob(q, id, j, !ok)
}

// endJob notes how a job ended, whose message is about to go, or forgets it where no results are kept.
func (e *entry) endJob(q *queue, number uint64, m *body, status string, result []byte) {
	if !q.mayKnowJobs() {
		return
	}
	id := q.idOf(number, m)
	j, ok := e.job(q, id)
	if !q.keepsResults() {
		if ok {
			e.dropJob(q, id)
		}
		return
	}
	j.status, j.result, j.ended = status, result, e.now
	e.saveJob(q, id, j, !ok)
	place := binary.BigEndian.AppendUint64(nil, uint64(e.now))
	e.tx.Set(e.numberKey(q, spaceEnded, q.endedNext), append(place, id...))
	q.endedNext++
	q.isHeaderChanged = true
	e.sweepBy(q, e.now+e.resultRetention(q))
	if e.tx.Emit != nil {
		base, _ := baseOf(q.queueRecord.name)
		e.tx.Emit(flotilla.Event{System: flotilla.SystemQueue, Group: e.tx.Group, Index: e.tx.Index,
			Name: EventEnded, Key: []byte(base), Body: []byte(id)})
	}
}

// dropJob forgets all about a job.
func (e *entry) dropJob(q *queue, id string) {
	e.tx.Delete(jobKey(q.gen, id))
	q.jobs--
	q.isHeaderChanged = true
}

func (e *entry) resultRetention(q *queue) flotilla.Millis {
	return flotilla.Millis(q.settings.values[resultRetentionPeriod]) * 1000
}

// forgetJobs removes results that were kept long enough, limit at most, and returns
// when there will be more.
func (e *entry) forgetJobs(q *queue, limit int) (work int, next flotilla.Millis) {
	for ; q.endedFirst < q.endedNext; q.endedFirst++ {
		place := e.numberKey(q, spaceEnded, q.endedFirst)
		value, ok := e.r.Get(place)
		flotilla.Assert(ok && len(value) > 8, "a job that ended is listed")
		at, id := flotilla.Millis(binary.BigEndian.Uint64(value)), string(value[8:])
		if due := at + e.resultRetention(q); due > e.now {
			return work, due
		}
		if work == limit {
			return work, e.now
		}
		if j, isThere := e.job(q, id); isThere && j.ended == at { // else it came back, and ended again
			e.dropJob(q, id)
		}
		e.tx.Delete(place)
		q.isHeaderChanged = true
		work++
	}
	return work, flotilla.Never
}

// ReportProgress keeps what a worker says of a job's progress; Done. Its lease must
// not have been superseded.
type ReportProgress struct {
	QueueName     string
	ReceiptHandle string
	Progress      []byte
}

func (*ReportProgress) op() byte { return 'G' }
func (m *ReportProgress) fields(c *coder) {
	c.text(&m.QueueName)
	c.text(&m.ReceiptHandle)
	c.bytes(&m.Progress)
}

func (e *entry) reportProgress(c *ReportProgress) *Error {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return err
	}
	if !q.keepsResults() {
		return &Error{Code: CodeUnsupportedOperation, Message: "The queue keeps no results: set its attribute ResultRetentionPeriod."}
	}
	if len(c.Progress) > MaxProgressBytes {
		return invalid("Progress must be at most 65536 bytes.")
	}
	h, _, s, err := e.find(q, c.ReceiptHandle)
	if err != nil {
		return err
	}
	if err := lost(q, s); err != nil {
		return err
	}
	id := q.idOf(h.number, e.body(q, h.number))
	j, ok := e.job(q, id)
	j.number, j.progress = h.number, c.Progress
	e.saveJob(q, id, j, !ok)
	return nil
}

// DescribeJob asks what became of a message by its id, a read; Job.
type DescribeJob struct{ QueueName, MessageID string }

func (*DescribeJob) op() byte          { return 'j' }
func (m *DescribeJob) fields(c *coder) { c.text(&m.QueueName); c.text(&m.MessageID) }

// Job is what is known of one. Status is that of its message (ready, delayed, leased,
// retry) or how it ended; with Fencing of any kind, Result is what the delete said
// that took effect.
type Job struct {
	Status   string
	Progress []byte
	Result   []byte
	Ended    flotilla.Millis // 0: it has not
}

func (m *Job) fields(c *coder) {
	c.text(&m.Status)
	c.bytes(&m.Progress)
	c.bytes(&m.Result)
	c.millis(&m.Ended)
}

func (e *entry) describeJob(c *DescribeJob) (Reply, *Error) {
	q, err := e.whole(c.QueueName)
	if err != nil {
		return nil, err
	}
	j, ok := e.job(q, c.MessageID)
	if j.status != "" {
		return &Job{Status: j.status, Progress: j.progress, Result: j.result, Ended: j.ended}, nil
	}
	number := j.number
	if !ok {
		number, ok = q.numberOf(c.MessageID)
	}
	if ok {
		if m := e.findBody(q, number); m != nil && q.idOf(number, m) == c.MessageID {
			l := e.lease(q, number)
			if at, isAlive := e.next(q.live(), number); !isAlive || at != number {
				l.state = stateDelayed // scheduled
			}
			return &Job{Status: stateNames[l.state], Progress: j.progress}, nil
		}
	}
	return nil, &Error{Code: CodeResourceNotFound, Message: "The queue knows of no message of that id: it was deleted, and its result is not kept (any more)."}
}

// numberOf returns the number of the message that an id was made for.
func (q *queue) numberOf(id string) (number uint64, ok bool) {
	_, number, ok = parseID(id)
	return number, ok && q.messageID(number) == id
}
