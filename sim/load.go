package sim

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
)

// epoch is for how long a key is used. An operation without an answer may take effect at
// any time later, and a search for an order would have to try it everywhere.
const epoch = 4 * time.Second

const failurePause = time.Duration(scenario.FailurePause) * time.Millisecond

// work is what a client does: one thing after another, until the end.
func (c *client) work() {
	for c.thinks(1) {
		begin := c.w.now
		if !c.connect() {
			c.w.silence.heardNobody(c, begin)
			c.sleep(failurePause)
			continue
		}
		operation := c.operation()
		if operation.IsOfQueues() {
			c.job(operation)
			c.leave()
			continue
		}
		done := c.act(operation)
		for _, o := range done {
			c.w.silence.heard(c, o, begin)
		}
		if slices.ContainsFunc(done, hasNoAnswer) {
			c.sleep(failurePause)
		}
		c.leave()
	}
}

// thinks lets as much time pass as the plan's clients take between two operations, or a
// part of it, and reports whether there is anything left to do.
func (c *client) thinks(part time.Duration) bool {
	think := c.w.plan.Workload.Think
	if !c.w.isOver {
		c.sleep(between(c.chance, durationOf(think.Least)/part, durationOf(think.Most)/part) + between(c.chance, 0, time.Millisecond))
	}
	return !c.w.isOver
}

func hasNoAnswer(o check.Operation) bool { return o.Outcome != check.Known }

// leave ends the session now and then, or takes it elsewhere.
func (c *client) leave() {
	switch p := c.chance.IntN(100); {
	case c.session == nil:
	case p < 2:
		c.hangUp()
	case p < 7:
		c.move()
	}
}

// lookers is how many clients there are besides the plan's.
const lookers = 2

// lookAgain is how often a looker asks again for what it was refused: it is there when a
// node that was cut off has just heard that it is current, and not got all that it missed.
const lookAgain = 20

// look is what a client does that only reads what the others change, and mostly what its
// node has: it is not held up where no majority is in reach, and sees how old that becomes.
func (c *client) look() {
	c.home = nil // it may look where nobody must serve, too
	for c.thinks(2) {
		if !c.connect() {
			continue
		}
		r := scenario.Reading{Level: flotilla.Eventual}
		switch p := c.chance.IntN(10); {
		case p < 4:
			r.Level = flotilla.Session
		case p < 9: // more often a small age
			r.Level, r.MaxAge = flotilla.Bounded, flotilla.Millis(c.chance.IntN(1+c.chance.IntN(600)))
		}
		o := whole(c.key(c.kindOf(c.operation())))
		for tries := 0; tries < lookAgain && hasNoAnswer(c.ask(c.at(r, o))[0]) && c.session != nil && !c.w.isOver; tries++ {
			c.sleep(between(c.chance, 0, 10*time.Millisecond))
		}
		if c.chance.IntN(20) == 0 {
			c.leave()
		}
	}
}

// operation draws one of the plan's.
func (c *client) operation() scenario.Operation { return c.w.plan.Workload.Operation(c.draw()) }

// draw draws a share of the whole.
func (c *client) draw() scenario.Share {
	return scenario.Share(c.chance.IntN(int(scenario.Whole)))
}

// One time of so many, a client asks for several things in one run, or for something
// that is left to chance.
const (
	pipelineOneOf = 10
	chanceOneOf   = 30
	againOneOf    = 3 // of those that had no answer
)

// act carries out an operation of the plan, and tells what came of it.
func (c *client) act(operation scenario.Operation) []check.Operation {
	switch operation {
	case scenario.CAS:
		return c.watch()
	case scenario.Multi:
		if c.chance.IntN(3) == 0 {
			return c.readTogether()
		}
		return c.transact(c.tie(), nil)
	case scenario.SAdd:
		if c.chance.IntN(chanceOneOf) == 0 {
			return c.anything("chance" + c.key(set))
		}
	}
	all := []check.Operation{c.single(operation)}
	if c.chance.IntN(pipelineOneOf) == 0 {
		all = c.pipeline(operation, all)
	}
	if operation.IsRead() {
		r := c.w.plan.Workload.Reading(c.draw())
		for i := range all {
			all[i] = c.at(r, all[i])
		}
	}
	done := c.ask(all...)
	if operation != scenario.Once && slices.ContainsFunc(done, hasNoAnswer) && c.chance.IntN(againOneOf) == 0 {
		done = append(done, c.again(all)...)
	}
	return done
}

// again asks for the same once more, as clients do that had no answer: it may be carried out twice
// then, which the history says. Values that expire are known by what they are, and not repeated.
func (c *client) again(all []check.Operation) []check.Operation {
	c.sleep(failurePause)
	if c.w.isOver || !c.connect() || slices.ContainsFunc(all, func(o check.Operation) bool { return isPassing(o.Key) }) {
		return nil
	}
	c.w.count("command sent again")
	return c.ask(all...)
}

// pipeline adds others of the kind to the first operation of a run: changes, or reads. Two
// of one key would be judged as if they had been asked for side by side: that is right, but
// says less.
func (c *client) pipeline(first scenario.Operation, all []check.Operation) []check.Operation {
	for range 1 + c.chance.IntN(3) {
		next := c.operation()
		if next == scenario.CAS || next == scenario.Multi || next.IsRead() != first.IsRead() {
			continue
		}
		o := c.single(next)
		if !slices.ContainsFunc(all, func(other check.Operation) bool { return other.Key == o.Key }) {
			all = append(all, o)
		}
	}
	if len(all) > 1 {
		c.w.count("pipeline")
	}
	return all
}

// members is how many values a set may have: few, so that they come and go.
const members = 5

// single draws a key for an operation, and a value. Each value is written once only, but
// for those of sets.
func (c *client) single(operation scenario.Operation) check.Operation {
	key := c.key(c.kindOf(operation))
	switch operation {
	case scenario.Set, scenario.SetEx:
		return check.Operation{Kind: check.Write, Key: key, Value: c.unique()}
	case scenario.Once:
		value := c.unique()
		return check.Operation{Kind: check.Write, Key: "once:" + value, Value: value}
	case scenario.Del:
		return check.Operation{Kind: check.Delete, Key: key}
	case scenario.Incr:
		return check.Operation{Kind: check.Add, Key: key, Number: 1}
	case scenario.SAdd, scenario.SRem:
		o := check.Operation{Kind: check.Insert, Key: key, Value: "m" + strconv.Itoa(c.chance.IntN(members))}
		if operation == scenario.SAdd && c.chance.IntN(2) == 0 {
			o.Value = c.unique() // how old a weak read is shows by what comes once
		}
		if operation == scenario.SRem {
			o.Kind = check.Remove
		}
		return o
	case scenario.LPush:
		return check.Operation{Kind: check.PushLeft, Key: key, Value: c.unique()}
	case scenario.RPush:
		return check.Operation{Kind: check.PushRight, Key: key, Value: c.unique()}
	case scenario.LPop:
		return check.Operation{Kind: check.PopLeft, Key: key}
	case scenario.RPop:
		return check.Operation{Kind: check.PopRight, Key: key}
	case scenario.LLen:
		return check.Operation{Kind: check.Length, Key: key}
	}
	flotilla.Assert(operation.IsRead(), "nobody asks for %s", operation)
	return whole(key)
}

// clockGrain is granted to bounded reads: nodes count whole milliseconds.
const clockGrain = time.Millisecond

// at gives a read its level, and a bounded one the age that it may have.
func (c *client) at(r scenario.Reading, o check.Operation) check.Operation {
	o.Level = check.Level(r.Level)
	c.w.count("read at level " + o.Level.String())
	if r.Level == flotilla.Bounded {
		c.session.MaxAge = r.MaxAge
		o.Age = c.w.ageOf(r.MaxAge)
	}
	return o
}

// ageOf is how old what a read sees may be that asked for an age. One node counts it, from when
// it asked how far the log is: its clock shows less than has passed if it runs too slowly, and
// a plan says by how much at most. A clock that runs too fast makes nothing older.
func (w *world) ageOf(asked flotilla.Millis) int64 {
	slowest := 0
	for _, s := range w.plan.Steps {
		slowest = min(slowest, s.DriftPPM)
	}
	return int64(math.Ceil(float64(durationOf(asked)+clockGrain) * 1e6 / float64(1_000_000+slowest)))
}

// unique returns a value that nobody else writes.
func (c *client) unique() string {
	c.w.values++
	return "v" + strconv.Itoa(c.w.values)
}

// long makes a value as long as the workload wants it.
func (c *client) long(name string) string {
	sizes := c.w.plan.Workload.ValueBytes
	return lengthen(name, sizes.Least+c.chance.IntN(sizes.Most-sizes.Least+1))
}

// member makes a value of a set, which is as long when it is taken out.
func (c *client) member(name string) string {
	return lengthen(name, c.w.plan.Workload.ValueBytes.Least)
}

// What keys of a kind begin with.
const (
	register = "register" // tied
	passing  = "passing"  // tied: a register whose values expire
	tally    = "tally"    // tied: a counter
	counter  = "counter"
	set      = "set"
	list     = "list"  // only grows, to the right: how long it is says how new what is seen is
	deque    = "queue" // is pushed to and popped from at both ends
)

// kindOf draws what kind of key an operation uses.
func (c *client) kindOf(o scenario.Operation) string {
	isRare := c.chance.IntN(4) == 0
	switch {
	case o == scenario.SetEx, o == scenario.Get && isRare:
		return passing
	case (o == scenario.Incr || o == scenario.Count) && isRare:
		return tally
	case o == scenario.Incr, o == scenario.Count:
		return counter
	case o == scenario.SAdd, o == scenario.SRem, o == scenario.SMembers:
		return set
	case (o == scenario.RPush || o == scenario.LRange) && !isRare:
		return list
	case o == scenario.LPush, o == scenario.RPush, o == scenario.LPop, o == scenario.RPop, o == scenario.LRange, o == scenario.LLen:
		return deque
	}
	return register
}

// key draws a key of a kind: one of as many as the workload has, in this epoch.
func (c *client) key(kind string) string {
	switch kind {
	case register, passing, tally:
		return c.tie().key(c, kind)
	}
	return fmt.Sprintf("%s:%d:%d", kind, c.w.now/epoch, c.chance.IntN(c.w.plan.Workload.Keys))
}

// tied is how many registers share a slot, besides one that passes and one tally: a
// transaction stays within them, so that a search over all keys that are connected stays
// short.
const tied = 4

// tie is such a slot.
type tie struct {
	name      string
	registers int
}

// tie draws one of this epoch.
func (c *client) tie() tie {
	count := c.w.plan.Workload.Keys
	i := c.chance.IntN(count) / tied
	return tie{fmt.Sprintf("{%d-%d}", c.w.now/epoch, i), min(tied, count-i*tied)}
}

// key draws one of the keys.
func (t tie) key(c *client, kind string) string {
	if kind != register {
		return kind + ":" + t.name
	}
	return fmt.Sprintf("%s:%s:%d", kind, t.name, c.chance.IntN(t.registers))
}

// isPassing reports whether a key's values expire.
func isPassing(key string) bool { return strings.HasPrefix(key, passing) }

// lifeOf is how long a value lives in a key that passes: 100 to 1000 ms. It follows from
// the value.
func lifeOf(value string) flotilla.Millis {
	number, _ := strconv.Atoi(strings.TrimPrefix(value, "v"))
	return flotilla.Millis(100 + number*7919%901)
}
