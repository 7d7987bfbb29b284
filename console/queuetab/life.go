package queuetab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/console"
	"flotilla/queue"
)

// maxShown bounds what is shown of a job's result, in bytes.
const maxShown = 4096

// Step is one thing that happened to a job, and how it is said.
type Step struct {
	queue.Happening
	Node flotilla.NodeID `json:"node,omitempty"` // that noted it; 0: all that hold a copy, or the message itself
	Says string          `json:"says"`
	// IsVoid says that it changed nothing: it was refused, or came too late.
	IsVoid bool `json:"void,omitempty"`
}

// Life is what is known of a job.
type Life struct {
	ID     string            `json:"id"`
	Queue  string            `json:"queue"` // where it is, or was last
	Steps  []Step            `json:"steps"`
	Silent []flotilla.NodeID `json:"silent,omitempty"` // nodes that did not answer: what they noted is missing
	AtMs   int64             `json:"at_ms"`
	// Message is what its group says of the message, if there still is one.
	Message *Message `json:"message,omitempty"`
	// Ended is how the job ended, if the queue keeps that: succeeded, failed, dead, expired, moved.
	Ended   string `json:"ended,omitempty"`
	EndedMs int64  `json:"ended_ms,omitempty"`
	Result  string `json:"result,omitempty"` // its beginning
	// Unanswered is why the message's group did not answer.
	Unanswered string `json:"unanswered,omitempty"`
	// Forgotten is how many leases nobody remembers.
	Forgotten uint64 `json:"forgotten,omitempty"`
}

// Message is a message as its group has it now.
type Message struct {
	State     string `json:"state"` // ready, delayed, leased or retry
	Receives  uint64 `json:"receives"`
	SentMs    int64  `json:"sent_ms"`
	FirstMs   int64  `json:"first_ms,omitempty"`   // when it was first received
	VisibleMs int64  `json:"visible_ms,omitempty"` // when the state ends by itself
	MovedFrom string `json:"moved_from,omitempty"`
}

// selfLife tells what this node noted of a message.
func (t *tab) selfLife(q url.Values) []queue.Happening {
	var spots []queue.Spot
	for _, text := range q["spot"] {
		if parts := strings.SplitN(text, "/", 3); len(parts) == 3 && len(spots) < maxSpots {
			spots = append(spots, queue.Spot{Gen: number(parts[0]), Place: number(parts[1]), Queue: parts[2]})
		}
	}
	return t.Client.Life(q.Get("id"), spots)
}

// life answers with a job's life. Nodes are asked twice: the first time by the id, which
// says where the message was, and then for what was done by its receipts. The group of the queue
// that it is in is asked in between: what led to what that says of it is told.
func (t *tab) life(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	id, name := q.Get("id"), q.Get("queue")
	if id == "" || name == "" {
		http.Error(w, "a job's life is asked for by queue and id", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 4*askTimeout)
	defer cancel()
	ask := url.Values{"id": {id}}
	answers, _ := askAll(ctx, t, "life", ask, t.selfLife)
	spots := spotsOf(answers)
	for _, s := range spots {
		ask.Add("spot", fmt.Sprintf("%d/%d/%s", s.Gen, s.Place, s.Queue))
	}
	ask.Add("spot", "0/0/"+name) // for who purged it
	life := Life{ID: id, Queue: queueOf(arrange(stepsOf(answers)), name)}
	for range maxMoves {
		t.lookAt(ctx, &life, placesIn(life.Queue, spots, number(q.Get("position"))))
		answers, life.Silent = askAll(ctx, t, "life", ask, t.selfLife)
		life.Steps, life.AtMs = arrange(stepsOf(answers)), time.Now().UnixMilli()
		now := queueOf(life.Steps, name)
		if now == life.Queue {
			break
		}
		life = Life{ID: id, Queue: now, Steps: life.Steps, Silent: life.Silent, AtMs: life.AtMs} // it went there meanwhile
	}
	if len(life.Steps) == 0 && life.Message == nil && life.Ended == "" && life.Unanswered == "" {
		http.Error(w, "No node remembers a job of this id in this queue, and its message is not there: see that the id is right. Nodes remember some thousand steps each, until they are restarted.", http.StatusNotFound)
		return
	}
	life.complete()
	console.Answer(w, life)
}

// maxMoves bounds how often a job is looked for where it went while it was looked for.
const maxMoves = 3

// placesIn returns where in a queue a message may be; position is that in the list that a
// page shows, from 1 on, or 0.
func placesIn(name string, spots []queue.Spot, position uint64) (places []uint64) {
	if position > 0 {
		places = append(places, position-1)
	}
	for _, s := range spots {
		if s.Queue == name {
			places = append(places, s.Place)
		}
	}
	return places
}

// stepsOf returns what nodes noted, in no order.
func stepsOf(answers map[flotilla.NodeID][]queue.Happening) (all []Step) {
	for node, some := range answers {
		for _, h := range some {
			all = append(all, Step{Happening: h, Node: node})
		}
	}
	return all
}

// queueOf returns where a job is after all its steps; name, if there are none.
func queueOf(ordered []Step, name string) string {
	for _, s := range ordered {
		switch {
		case s.IsVoid: // what is tried in vain moves nothing
		case s.Kind == queue.KindDead:
			name = s.To
		default:
			name = s.Queue
		}
	}
	return name
}

// spotsOf returns where a message was, by what was noted under its id.
func spotsOf(answers map[flotilla.NodeID][]queue.Happening) (spots []queue.Spot) {
	for _, some := range answers {
		for _, h := range some {
			s := queue.Spot{Queue: h.Queue, Gen: h.Gen, Place: h.Place}
			if s.Gen != 0 && !slices.Contains(spots, s) && len(spots) < maxSpots-1 {
				spots = append(spots, s)
			}
		}
	}
	return spots
}

// lookAt asks the queue's group for the message, and for what came of it.
func (t *tab) lookAt(ctx context.Context, life *Life, places []uint64) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	m, err := t.Client.FindMessage(ctx, life.Queue, life.ID, places)
	var job queue.Job
	if err == nil {
		err = t.Client.Read(ctx, life.Queue, &queue.DescribeJob{QueueName: life.Queue, MessageID: life.ID}, &job)
	}
	answer := (*queue.Error)(nil)
	switch {
	case err == nil || errors.As(err, &answer) && answer.Code == queue.CodeResourceNotFound: // it knows of no such job
	case answer != nil:
		life.Unanswered = answer.Message
	default:
		life.Unanswered = err.Error()
	}
	if m != nil {
		n := m.Message
		life.Message = &Message{State: m.State, Receives: n.ApproximateReceiveCount, SentMs: int64(n.SentTimestamp),
			FirstMs: int64(n.ApproximateFirstReceiveTimestamp), VisibleMs: int64(n.VisibleAt), MovedFrom: n.DeadLetterQueueSource}
	}
	if job.Ended != 0 {
		life.Ended, life.EndedMs = job.Status, int64(job.Ended)
		life.Result = strings.ToValidUTF8(string(job.Result[:min(len(job.Result), maxShown)]), "�")
	}
}

// complete adds what the message itself says, counts what nobody remembers, and has each
// step say what it was.
func (life *Life) complete() {
	if life.Message != nil { // no purge was of this message
		life.Steps = slices.DeleteFunc(life.Steps, func(s Step) bool { return s.Kind == queue.KindPurged })
	}
	leases := uint64(0)
	isSentKnown := slices.ContainsFunc(life.Steps, isBegin)
	for i := range life.Steps {
		s := &life.Steps[i]
		if s.Kind == queue.KindLeased && s.Queue == life.Queue {
			leases++
		}
		s.Says = say(s)
	}
	m := life.Message
	if m == nil {
		return
	}
	if m.Receives > leases {
		life.Forgotten = m.Receives - leases
	}
	if !isSentKnown {
		life.Steps = slices.Insert(life.Steps, 0, Step{Happening: queue.Happening{AtMicros: m.SentMs * 1000, Kind: queue.KindSent, Queue: cmp.Or(m.MovedFrom, life.Queue)},
			Says: "Sent, as the message itself says. By whom, no node remembers (any more)."})
	}
}

// arrange puts a job's steps in order, queue after queue: those of a lease after those of
// the lease before it, whatever the clocks of the nodes that noted them said.
func arrange(all []Step) (ordered []Step) {
	queues := map[string][]Step{}
	for _, s := range all {
		if s.Kind.IsOfMachine() {
			s.Node = 0 // each that holds a copy told of it
		}
		if !slices.Contains(queues[s.Queue], s) {
			queues[s.Queue] = append(queues[s.Queue], s)
		}
	}
	for len(queues) > 0 {
		name := first(queues)
		ordered = append(ordered, arrangeOne(queues[name])...)
		delete(queues, name)
	}
	return ordered
}

// first returns the queue where a job was first: nothing came to it from another one that
// is left. Queues that took it from each other are in the order of time.
func first(queues map[string][]Step) (name string) {
	least, wasFed := int64(0), true
	for candidate, steps := range queues {
		isFed := false
		for other, theirs := range queues {
			isFed = isFed || other != candidate && slices.ContainsFunc(theirs, func(s Step) bool { return s.To == candidate && s.Kind != queue.KindArrived })
		}
		begin := slices.MinFunc(steps, func(a, b Step) int { return cmp.Compare(a.AtMicros, b.AtMicros) }).AtMicros
		if name == "" || wasFed && !isFed || wasFed == isFed && (begin < least || begin == least && candidate < name) {
			name, least, wasFed = candidate, begin, isFed
		}
	}
	return name
}

// isBegin reports whether a step is how a job came to a queue.
func isBegin(s Step) bool { return s.Kind == queue.KindSent || s.Kind == queue.KindArrived }

// rank orders the steps of one lease that could be told in any order.
func rank(k queue.Kind) int {
	switch k {
	case queue.KindSent, queue.KindArrived, queue.KindLeased:
		return 0
	case queue.KindDead, queue.KindMoved, queue.KindExpired:
		return 2
	}
	return 1
}

// arrangeOne orders what happened in one queue, and finds what came too late.
func arrangeOne(all []Step) []Step {
	last := uint64(0) // a message that was leased once more was not deleted before
	for _, s := range all {
		if s.Kind == queue.KindLeased {
			last = max(last, s.Token)
		}
	}
	var some, loose []Step // loose are those that changed nothing, or all: they stand where their time is
	for _, s := range all {
		s.IsVoid = s.Code != "" || isEnd(s.Kind) && s.Token < last
		if s.IsVoid || s.Token == 0 && !isBegin(s) {
			loose = append(loose, s)
		} else {
			some = append(some, s)
		}
	}
	slices.SortStableFunc(some, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Token, b.Token), cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.AtMicros, b.AtMicros))
	})
	isDone := false
	for i := range some {
		some[i].IsVoid = isDone && isEnd(some[i].Kind) // the same receipt, again
		isDone = isDone || isEnd(some[i].Kind)
	}
	slices.SortStableFunc(loose, func(a, b Step) int { return cmp.Compare(a.AtMicros, b.AtMicros) })
	for _, s := range loose {
		if s.Kind == queue.KindPurged {
			continue
		}
		at := len(some)
		for least := causes(some, s); at > least && some[at-1].AtMicros > s.AtMicros; {
			at--
		}
		some = slices.Insert(some, at, s)
	}
	return withPurge(some, loose, isDone)
}

func isEnd(k queue.Kind) bool { return k == queue.KindFinished || k == queue.KindFailed }

// causes returns how many of a queue's steps certainly were before one that is of no lease,
// or changed nothing: its lease, and what made it come too late.
func causes(some []Step, s Step) int {
	if s.Code == queue.CodeMessageGone {
		return len(some)
	}
	isLate := s.Code == queue.CodeLeaseSuperseded || s.Code == "" && s.IsVoid
	for i, other := range slices.Backward(some) {
		isLease := other.Kind == queue.KindLeased
		if isBegin(other) || isLease && !isLate && other.Token <= s.Token {
			return i + 1
		}
		if isLease && isLate && other.Token > s.Token && !slices.ContainsFunc(some[:i], func(o Step) bool { return o.Kind == queue.KindLeased && o.Token > s.Token }) {
			return i + 1
		}
	}
	return 0
}

// withPurge adds the purge that ended a message: the first after all that is known of it.
func withPurge(some, loose []Step, isDone bool) []Step {
	if len(some) == 0 || isDone || rank(some[len(some)-1].Kind) == 2 {
		return some
	}
	newest := slices.MaxFunc(some, func(a, b Step) int { return cmp.Compare(a.AtMicros, b.AtMicros) }).AtMicros
	for _, s := range loose {
		if s.Kind == queue.KindPurged && s.AtMicros >= newest {
			return append(some, s)
		}
	}
	return some
}

// who says who did something, and by way of which node.
func who(s *Step) string {
	name := "Somebody"
	switch {
	case s.By.Key == sender:
		name = "A page of the console, at " + s.By.Address
	case s.By.Address != "":
		name = s.By.Address
		if s.By.Key != "" {
			name += " (" + s.By.Key + ")"
		}
	}
	if s.Node != 0 {
		name += ", by way of " + s.Node.String() + ","
	}
	return name
}

// span says how long something was to last.
func span(fromMicros int64, until flotilla.Millis) string {
	ms := int64(until) - fromMicros/1000
	switch {
	case ms <= 0:
		return "no time at all"
	case ms < 9_950:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
	case ms < 600_000:
		return strconv.FormatInt((ms+500)/1000, 10) + " s"
	}
	return strconv.FormatInt((ms+30_000)/60_000, 10) + " min"
}

// say tells of a step in plain words: who did what, and what came of it.
func say(s *Step) string {
	did, effect := "", ""
	switch s.Kind {
	case queue.KindSent:
		did = "sent it to the queue " + s.Queue
		if s.Until != 0 {
			effect = "It can be received after " + span(s.AtMicros, s.Until) + "."
		}
	case queue.KindRepeated:
		did, effect = "sent it again", "It was recognized by its deduplication id: nothing was added."
	case queue.KindLeased:
		did, effect = "received it, with a lease of "+span(s.AtMicros, s.Until), "Until that ends, nobody else is given it."
	case queue.KindExtended:
		did, effect = "asked to keep it", "The lease then was to end after "+span(s.AtMicros, s.Until)+"."
	case queue.KindProgressed:
		did = "told how far the work is"
	case queue.KindReleased:
		did, effect = "gave it back", "Others may have it, at once or after the queue's backoff."
		if s.Until != 0 {
			effect = "Others may have it after " + span(s.AtMicros, s.Until) + "."
		}
	case queue.KindFinished:
		did, effect = "said that the work is done", "The message was deleted."
	case queue.KindFailed:
		did, effect = "said that the work failed for good", "The message was deleted: nobody tries again."
	case queue.KindPurged:
		did, effect = "purged the queue", "All its messages were deleted, this one too."
	default:
		return sayOfMachine(s)
	}
	if s.IsVoid {
		effect = sayVoid(s)
	}
	return strings.TrimSpace(who(s) + " " + did + ". " + effect)
}

// sayVoid tells why a step changed nothing.
func sayVoid(s *Step) string {
	switch s.Code {
	case "":
		return "But that came too late: somebody else had received it since, or it was gone. Nothing was changed."
	case queue.CodeOutcomeUnknown:
		return "But the node lost its leader meanwhile: it may have been carried out, or not."
	case queue.CodeNotCarriedOut:
		return "But no majority could be reached: it was not carried out."
	case queue.CodeLeaseSuperseded:
		return "But somebody else had received it since, or it went to another queue: it was refused, and nothing was changed."
	case queue.CodeLeaseOver:
		return "But the lease had run out: it was refused, and nothing was changed."
	case queue.CodeMessageGone:
		return "But the message was gone: nothing was changed."
	}
	return "But it was refused (" + s.Code + "): nothing was changed."
}

func sayOfMachine(s *Step) string {
	switch s.Kind {
	case queue.KindLapsed:
		return "The lease ran out: nobody had ended it in time. Others may have the message."
	case queue.KindDead:
		return "It had been received as often as it may be, and was still not done: it went to the queue for dead messages, " + s.To + "."
	case queue.KindMoved:
		return "A move task took it out of " + s.Queue + " to " + s.To + ". There it has another id."
	case queue.KindArrived:
		if s.To == "" {
			return "It came to " + s.Queue + " by a move task. Where it was before it had another id."
		}
		return "It came to " + s.Queue + " from " + s.To + ", where it had died."
	case queue.KindExpired:
		return "It was in the queue for as long as the queue keeps messages: it was removed, undone."
	}
	return "Something happened that this node has no words for."
}
