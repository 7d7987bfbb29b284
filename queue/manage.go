package queue

import (
	"slices"
	"strings"
	"unicode/utf8"

	"flotilla"
)

func (e *entry) createQueue(c *CreateQueue) (Reply, *Error) {
	isFIFO := slices.Contains(c.Attributes, Pair{"FifoQueue", "true"})
	if err := checkName(c.QueueName, isFIFO); err != nil {
		return nil, err
	}
	s := standardSettings()
	if err := s.setAll(c.Attributes, isFIFO, true); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if q := e.known(c.QueueName); q != nil {
		if q.isDeleted {
			return nil, &Error{Code: codeUnsettled, Message: "The queue is being deleted."}
		}
		return &Done{isBegun: q.settled < q.generation}, isSame(q, c.Attributes, s)
	}
	if err := e.checkDeadTarget(c.QueueName, &s, c.IsDeadTargetElsewhere); err != nil {
		return nil, err
	}
	if len(c.Secret) != 32 || int64(len(c.Slots)) > s.values[partitions] {
		return nil, malformed()
	}
	q := newQueue()
	q.queueRecord = queueRecord{name: c.QueueName, id: e.tx.Version(), gen: e.tx.Version(), secret: slices.Clone(c.Secret),
		created: e.now, modified: e.now, settings: s}
	if len(c.Slots) > 1 {
		q.slots = c.Slots
	}
	if err := q.setTags(c.Tags); err != nil {
		return nil, err
	}
	if e.tx.NoRoom {
		return nil, noRoom()
	}
	q.header = header{name: c.QueueName}
	q.isRecordChanged, q.isHeaderChanged = true, true
	e.queues[c.QueueName], e.names[q.gen] = q, c.QueueName
	return e.changePlan(q), nil
}

// isSame compares the attributes that were given with those of a queue that exists.
func isSame(q *queue, given []Pair, s settings) *Error {
	for _, p := range given {
		i := slices.Index(textNames[:], p.Name)
		j := attributeAt(p.Name)
		if i >= 0 && s.texts[i] != q.settings.texts[i] || j >= 0 && s.values[j] != q.settings.values[j] {
			return &Error{Code: CodeQueueNameExists,
				Message: "A queue already exists with the same name and a different value for attribute " + p.Name}
		}
	}
	return nil
}

// checkDeadTarget says whether the queue for dead messages can be that.
func (e *entry) checkDeadTarget(name string, s *settings, isElsewhere bool) *Error {
	s.isDeadElsewhere = false
	if s.deadTarget == "" {
		return nil
	}
	target := e.queue(s.deadTarget)
	if target == nil && isElsewhere && s.deadTarget != name {
		s.isDeadElsewhere = true
		return nil
	}
	if target == nil || s.deadTarget == name {
		return noGrave(s.texts[redrivePolicy])
	}
	if !target.settings.allows(name) {
		return deniedGrave(s.texts[redrivePolicy])
	}
	return nil
}

// noGrave and deniedGrave say what is wrong with the queue that a redrive policy names.
func noGrave(text string) *Error {
	return badPolicy(redrivePolicy, text, "Dead letter target does not exist.")
}

func deniedGrave(text string) *Error {
	return badPolicy(redrivePolicy, text, "Dead letter target does not allow this queue.")
}

func noRoom() *Error {
	return &Error{Code: CodeServiceUnavailable, Message: "The disks are nearly full: delete messages or queues, or add room."}
}

// wipe removes a queue's messages, however many there are.
func (e *entry) wipe(q *queue) {
	e.tx.DeleteRange(dataKey(q.gen, 0)[:10], dataKey(q.gen+1, 0)[:10])
	if q.seenGen != 0 {
		e.tx.DeleteRange(dataKey(q.seenGen, 0)[:10], dataKey(q.seenGen+1, 0)[:10])
	}
	e.wiped(q)
}

// wipeMessages is wipe, but for what is remembered of messages that were sent.
func (e *entry) wipeMessages(q *queue) {
	if q.memory() == q.gen {
		e.tx.DeleteRange(dataKey(q.gen, 0)[:10], dataKey(q.gen, spaceSeen))
		e.tx.DeleteRange(dataKey(q.gen, spaceSeen+1), dataKey(q.gen, spaceSeenAt))
		e.tx.DeleteRange(dataKey(q.gen, spaceSeenAt+1), dataKey(q.gen+1, 0)[:10])
	} else {
		e.tx.DeleteRange(dataKey(q.gen, 0)[:10], dataKey(q.gen+1, 0)[:10])
	}
	e.wiped(q)
}

// wiped forgets what the entry has of a queue's data.
func (e *entry) wiped(q *queue) {
	e.tx.Delete(headerKey(q.gen))
	for id := range e.nodes {
		if id.gen == q.gen {
			delete(e.nodes, id)
		}
	}
	clear(q.lanes)
	clear(q.laneNumbers)
	clear(q.groups)
	clear(q.groupNumbers)
}

func (e *entry) deleteQueue(c *DeleteQueue) (Reply, *Error) {
	q := e.known(c.QueueName)
	if q == nil {
		return nil, NoSuchQueue()
	}
	if q.isDeleted { // but not everywhere yet
		return &Done{isBegun: true}, nil
	}
	e.tell(c.QueueName, EventDeleted)
	if q.isSpread() {
		q.isDeleted = true
		return e.changePlan(q), nil
	}
	e.wipe(q)
	e.tx.DeleteRange(recurringKey(q.id), recurringKey(q.id+1))
	e.forgetQueue(q)
	return &Done{}, nil
}

func (e *entry) purgeQueue(c *PurgeQueue) (Reply, *Error) {
	q := e.queue(c.QueueName)
	if q == nil {
		return nil, NoSuchQueue()
	}
	isOpen := q.settled < q.generation // the last one may not have come to all partitions
	if q.purged != 0 && e.now < q.purged+PurgeSeconds*1000 && !isOpen {
		return nil, &Error{Code: CodePurgeInProgress, Message: "Only one PurgeQueue operation on " + c.QueueName + " is allowed every 60 seconds."}
	}
	q.purged = e.now
	if q.isSpread() {
		q.purges++
		q.move = wish{} // what is to be moved is gone
	} else {
		e.purge(q)
	}
	return e.changePlan(q), nil
}

// purge gives a queue new data without messages. What it gave out in the last second still
// counts, and so do what its message groups did, and its deduplication ids.
func (e *entry) purge(q *queue) {
	groups := e.spent(q)
	moves := e.moves(q)
	var memory header
	if q.seenFirst < q.seenNext {
		memory = header{seenFirst: q.seenFirst, seenNext: q.seenNext, seenGen: q.memory()}
		e.wipeMessages(q)
	} else {
		e.wipe(q)
	}
	q.gen = e.tx.Version()
	q.header = header{name: q.queueRecord.name, nextNumber: q.nextNumber, rate: q.rate} // sequence numbers only ever grow
	q.seenFirst, q.seenNext, q.seenGen = memory.seenFirst, memory.seenNext, memory.seenGen
	q.isRecordChanged, q.isHeaderChanged = true, true
	e.names[q.gen] = q.queueRecord.name
	if len(moves.Results) > 0 {
		if newest := &moves.Results[0]; newest.Status == MoveRunning {
			newest.Status = MoveCompleted // nothing is left to be moved
		}
		e.saveMoves(q, moves)
	}
	e.sweepLater(q)
	if rate := q.rateLimit(); rate > 0 {
		e.spendOfQueue(q, rate, 0) // who waits is told as soon as there is more, of the new data
	}
	e.carry(q, groups)
	e.recurOn(q)
}

func (e *entry) setAttributes(c *SetQueueAttributes) (Reply, *Error) {
	q := e.queue(c.QueueName)
	if q == nil {
		return nil, NoSuchQueue()
	}
	s := q.settings
	if err := s.setAll(c.Attributes, s.isFIFO(), false); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(c.Attributes, func(p Pair) bool { return p.Name == textNames[redrivePolicy] }) {
		if err := e.checkDeadTarget(c.QueueName, &s, c.IsDeadTargetElsewhere); err != nil {
			return nil, err
		}
		q.deadAgainAt, q.isHeaderChanged = 0, true // it was found
	}
	q.settings, q.modified = s, e.now
	q.isRecordChanged = true
	if !q.isSpread() {
		q.isHeaderChanged, q.hasNews = true, true // a limit may have been lifted
		e.sweepLater(q)
	}
	return e.changePlan(q), nil
}

func (e *entry) tagQueue(c *TagQueue) *Error {
	q := e.queue(c.QueueName)
	if q == nil {
		return NoSuchQueue()
	}
	q.isRecordChanged = true
	return q.setTags(c.Tags)
}

// setTags adds tags, which are kept in order of their names.
func (q *queue) setTags(tags []Pair) *Error {
	all := slices.Clone(q.tags)
	for _, tag := range tags {
		if err := CheckTag(tag.Name, tag.Value); err != nil {
			return err
		}
		i, found := slices.BinarySearchFunc(all, tag.Name, func(p Pair, name string) int { return strings.Compare(p.Name, name) })
		if found {
			all[i].Value = tag.Value
		} else {
			all = slices.Insert(all, i, tag)
		}
	}
	if len(all) > MaxTags {
		return invalid("Too many tags added for queue " + q.queueRecord.name + ".")
	}
	q.tags = all
	return nil
}

// reservedTagPrefix is what keys and values of tags begin with that nobody but AWS may set.
const reservedTagPrefix = "aws:"

// CheckTag says what is wrong with a tag by itself.
func CheckTag(key, value string) *Error {
	if key == "" || utf8.RuneCountInString(key) > MaxTagKeyChars || utf8.RuneCountInString(value) > MaxTagValueChars {
		return invalid("Tag keys must be between 1 and 128 characters in length, and values up to 256.")
	}
	if strings.HasPrefix(key, reservedTagPrefix) || strings.HasPrefix(value, reservedTagPrefix) {
		return invalid("Tag keys and values must not begin with the reserved prefix " + reservedTagPrefix)
	}
	return nil
}

func (e *entry) untagQueue(c *UntagQueue) *Error {
	q := e.queue(c.QueueName)
	if q == nil {
		return NoSuchQueue()
	}
	q.isRecordChanged = true
	q.tags = slices.DeleteFunc(q.tags, func(p Pair) bool { return slices.Contains(c.TagKeys, p.Name) })
	return nil
}

// GetQueueAttributes asks for all about a queue, a read; QueueAttributes.
type GetQueueAttributes struct{ QueueName string }

func (*GetQueueAttributes) op() byte          { return 'a' }
func (m *GetQueueAttributes) fields(c *coder) { c.text(&m.QueueName) }

// QueueAttributes is all about a queue. Times are in milliseconds.
type QueueAttributes struct {
	Attributes            []Pair // but for the counters
	Tags                  []Pair
	Counters              Counters
	CreatedTimestamp      flotilla.Millis
	LastModifiedTimestamp flotilla.Millis
	OldestSentTimestamp   flotilla.Millis // when the oldest message was sent to this queue; 0: there is none

	route route // of a spread queue, whose messages are elsewhere
}

func (m *QueueAttributes) fields(c *coder) {
	pairs(c, &m.Attributes)
	pairs(c, &m.Tags)
	m.Counters.fields(c)
	c.millis(&m.CreatedTimestamp)
	c.millis(&m.LastModifiedTimestamp)
	c.millis(&m.OldestSentTimestamp)
	c.tail(len(m.route.Slots) > 0, func() { m.route.fields(c) })
}

func (e *entry) getAttributes(c *GetQueueAttributes) (Reply, *Error) {
	q := e.queue(c.QueueName)
	if q == nil {
		return nil, NoSuchQueue()
	}
	reply := &QueueAttributes{Attributes: q.settings.pairs(), Tags: q.tags, Counters: q.counters,
		CreatedTimestamp: q.created, LastModifiedTimestamp: q.modified, OldestSentTimestamp: e.oldest(q)}
	if q.isSpread() {
		reply.route = q.route()
	}
	return reply, nil
}

// ListQueues asks for names of queues, in order, a read; QueueNames. After is the
// last name of the page before.
type ListQueues struct {
	QueueNamePrefix string
	After           string
	MaxResults      int64
}

func (*ListQueues) op() byte { return 'l' }
func (m *ListQueues) fields(c *coder) {
	c.text(&m.QueueNamePrefix)
	c.text(&m.After)
	c.int(&m.MaxResults)
}

// QueueNames is one page of names, of this group.
type QueueNames struct {
	Names   []string
	HasMore bool
}

func (m *QueueNames) fields(c *coder) { texts(c, &m.Names); c.bool(&m.HasMore) }

func (e *entry) listQueues(c *ListQueues) (Reply, *Error) {
	return e.list(c.QueueNamePrefix, c.After, c.MaxResults, func([]byte) bool { return true })
}

// list visits queues whose names begin with prefix, and returns those that wanted is true of.
func (e *entry) list(prefix, after string, limit int64, wanted func(record []byte) bool) (Reply, *Error) {
	if limit < 1 || limit > MaxListed {
		return nil, invalid("Value for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided.")
	}
	if strings.Contains(prefix, "/") { // so begin partitions' names, and no queue's
		return &QueueNames{}, nil
	}
	start, end := recordKey(prefix), prefixEnd(recordKey(prefix))
	if after >= prefix {
		start = append(recordKey(after), 0)
	}
	reply := &QueueNames{}
	for key, value := range e.r.Scan(start, end) {
		if isDeleted := value[0] == 1; isDeleted || !wanted(value) {
			continue
		}
		if len(reply.Names) == int(limit) {
			reply.HasMore = true
			break
		}
		reply.Names = append(reply.Names, string(key[2:]))
	}
	return reply, nil
}

// prefixEnd returns the first key behind all that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for len(end) > 0 {
		end[len(end)-1]++
		if end[len(end)-1] != 0 {
			return end
		}
		end = end[:len(end)-1]
	}
	return nil
}

// ListDeadLetterSourceQueues asks which queues of the group send their dead messages
// to a queue, a read; QueueNames.
type ListDeadLetterSourceQueues struct {
	QueueName  string
	After      string
	MaxResults int64
}

func (*ListDeadLetterSourceQueues) op() byte { return 's' }
func (m *ListDeadLetterSourceQueues) fields(c *coder) {
	c.text(&m.QueueName)
	c.text(&m.After)
	c.int(&m.MaxResults)
}

func (e *entry) listSources(c *ListDeadLetterSourceQueues) (Reply, *Error) {
	return e.list("", c.After, c.MaxResults, func(record []byte) bool {
		var q queueRecord
		mustDecode(record, &q)
		return q.settings.deadTarget == c.QueueName
	})
}
