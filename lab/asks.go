package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"

	"github.com/redis/go-redis/v9"
)

// act carries out one operation that is drawn from the workload.
func (c *client) act() check.Operation {
	c.sequence++
	w := &c.load.options.Workload
	operation := w.Operation(scenario.Share(c.chance.IntN(int(scenario.Whole))))
	switch operation {
	case scenario.Set:
		return c.set(c.key("register"))
	case scenario.Once:
		return c.set(fmt.Sprintf("once:%s:%s", c.load.Run, c.name()))
	case scenario.SetEx:
		return c.setPassing(c.key(passing))
	case scenario.Get:
		kind := "register"
		if c.load.hasPassing && c.chance.IntN(4) == 0 {
			kind = passing
		}
		return c.read(check.Operation{Key: c.key(kind), Kind: check.Read})
	case scenario.Count:
		return c.read(check.Operation{Key: c.key("counter"), Kind: check.Count})
	case scenario.SMembers:
		return c.read(check.Operation{Key: c.key("set"), Kind: check.Members})
	case scenario.LRange:
		return c.read(check.Operation{Key: c.key("list"), Kind: check.Range, To: -1})
	case scenario.LLen:
		return c.read(check.Operation{Key: c.key("list"), Kind: check.Length})
	case scenario.Del:
		return c.do(check.Operation{Key: c.key("register"), Kind: check.Delete}, func(o *check.Operation) error {
			n, err := c.link.conn.Del(background, o.Key).Result()
			o.Changed = n == 1
			return err
		})
	case scenario.CAS:
		return c.compareAndSet(c.neighbours())
	case scenario.Incr:
		return c.do(check.Operation{Key: c.key("counter"), Kind: check.Add, Number: 1}, func(o *check.Operation) (err error) {
			o.Total, err = c.link.conn.Incr(background, o.Key).Result()
			return err
		})
	case scenario.SAdd, scenario.SRem:
		return c.changeSet(operation)
	case scenario.LPush, scenario.RPush:
		return c.push(operation)
	case scenario.LPop, scenario.RPop:
		return c.pop(operation)
	}
	flotilla.Assert(operation == scenario.Multi, "nobody asks for %s", operation)
	return c.transact()
}

// background: an operation ends by its connection's timeouts.
var background = context.Background()

func (c *client) do(o check.Operation, ask func(*check.Operation) error) check.Operation {
	o.Client = c.link.session
	return c.load.Do(o, ask)
}

// tied is how many registers share a slot: MULTI stays within them, so that a search
// over all keys that are connected stays short.
const tied = 4

// key draws a key of a kind: one of as many as the workload has, in this epoch.
func (c *client) key(kind string) string {
	return c.load.key(kind, c.load.epoch(), c.chance.IntN(c.load.options.Workload.Keys))
}

// neighbours draws two registers of one slot, which may be the same.
func (c *client) neighbours() (key, other string) {
	keys, epoch := c.load.options.Workload.Keys, c.load.epoch()
	first := c.chance.IntN(keys) / tied * tied
	draw := func() string { return c.load.key("register", epoch, first+c.chance.IntN(min(tied, keys-first))) }
	return draw(), draw()
}

func (l *Load) epoch() int { return int(time.Since(l.Began) / Epoch) }

func (l *Load) key(kind string, epoch, i int) string {
	if kind != "register" && kind != passing {
		return fmt.Sprintf("%s:%s-%d:%d", kind, l.Run, epoch, i) // in a slot of its own
	}
	return fmt.Sprintf("%s:{%s-%d-%d}:%d", kind, l.Run, epoch, i/tied, i%tied)
}

// name is a value's beginning, by which it is told from all others.
func (c *client) name() string { return fmt.Sprintf("%d-%d", c.number, c.sequence) }

// upTo draws from 0 to most.
func (c *client) upTo(most flotilla.Millis) flotilla.Millis {
	return flotilla.Millis(c.chance.Int64N(int64(most) + 1))
}

// long draws a size and makes a name as long.
func (c *client) long(name string) string {
	sizes := c.load.options.Workload.ValueBytes
	return lengthen(name, sizes.Least+c.chance.IntN(sizes.Most-sizes.Least+1))
}

// lengthen makes a value of some bytes from a name, and shorten the name from it:
// histories keep names only. Of a value that nobody made, damaged perhaps, shorten
// makes a name that nobody has.
func lengthen(name string, size int) string {
	fill := name + "."
	if size <= len(name) {
		return name
	}
	return strings.Repeat(fill, size/len(fill)+1)[:size]
}

func shorten(value string) string {
	name, _, isLong := strings.Cut(value, ".")
	if !isLong || lengthen(name, len(value)) == value {
		return name
	}
	at := 0
	for whole := lengthen(name, len(value)); at < len(whole) && whole[at] == value[at]; {
		at++
	}
	return fmt.Sprintf("%s, and %d bytes that are not so from %d on", strconv.Quote(name[:min(len(name), 40)]), len(value), at)
}

func shortenAll(values []string) []string {
	for i, v := range values {
		values[i] = shorten(v)
	}
	return values
}

func (c *client) set(key string) check.Operation {
	return c.do(check.Operation{Key: key, Kind: check.Write, Value: c.name()}, func(o *check.Operation) error {
		return c.link.conn.Set(background, o.Key, c.long(o.Value), 0).Err()
	})
}

// passing is what keys begin with whose values empty themselves.
const passing = "passing"

// life is the write of a value that empties itself, and for how long it lives.
type life struct {
	write check.Operation
	of    time.Duration
}

// expiries returns those that may have happened, each from when on.
func (l *Load) expiries() (all []check.Operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.lives {
		at := l.clocks.mayExpire(v.write, v.of)
		all = append(all, check.Operation{Key: v.write.Key, Kind: check.Expire, Value: v.write.Value, Outcome: check.Unknown, Begin: at, End: at})
	}
	return all
}

// setPassing writes a register that empties itself.
func (c *client) setPassing(key string) check.Operation {
	of := time.Duration(100+c.upTo(900)) * time.Millisecond
	done := c.do(check.Operation{Key: key, Kind: check.Write, Value: c.name()}, func(o *check.Operation) error {
		return c.link.conn.Set(background, o.Key, c.long(o.Value), of).Err()
	})
	if done.Outcome == check.Refused {
		return done
	}
	c.load.mu.Lock()
	c.load.lives = append(c.load.lives, life{done, of})
	c.load.mu.Unlock()
	return done
}

// read asks at a level that is drawn from the workload.
func (c *client) read(o check.Operation) check.Operation {
	reading := c.load.options.Workload.Reading(scenario.Share(c.chance.IntN(int(scenario.Whole))))
	o.Level = levelOf(reading.Level)
	if o.Level == check.LevelBounded {
		o.Age = int64((time.Duration(reading.MaxAge) + clockGrain) * time.Millisecond)
		o.Age += o.Age / 1_000_000 * int64(c.load.options.DriftPPM)
	}
	return c.do(o, func(o *check.Operation) error {
		if err := c.link.readAt(reading); err != nil {
			return errors.Join(errBeforeSending, err)
		}
		return readWhole(c.link.conn, o)
	})
}

// clockGrain is granted to bounded reads, in milliseconds: nodes count whole ones, at
// the confirmation of an index and at the read.
const clockGrain = 2

func levelOf(l flotilla.Level) check.Level {
	switch l {
	case flotilla.Session:
		return check.LevelSession
	case flotilla.Bounded:
		return check.LevelBounded
	case flotilla.Eventual:
		return check.LevelEventual
	}
	return check.LevelLinearizable
}

// readAt sets the level of the connection's reads.
func (k *link) readAt(r scenario.Reading) error {
	r.Share = 0
	if k.reading == r {
		return nil
	}
	words := []any{"CONSISTENCY", levelOf(r.Level).String()}
	if r.Level == flotilla.Bounded {
		words = append(words, int64(r.MaxAge))
	}
	if err := k.conn.Do(background, words...).Err(); err != nil {
		return err
	}
	k.reading = r
	return nil
}

// readWhole reads a key as its operation says, and fills the answer in.
func readWhole(c redis.Cmdable, o *check.Operation) (err error) {
	switch o.Kind {
	case check.Read:
		o.Value, err = c.Get(background, o.Key).Result()
		o.Value, o.Found = shorten(o.Value), err == nil
	case check.Count:
		o.Total, err = c.Get(background, o.Key).Int64()
	case check.Members:
		o.Values, err = c.SMembers(background, o.Key).Result()
		shortenAll(o.Values)
	case check.Range:
		o.Values, err = c.LRange(background, o.Key, o.From, o.To).Result()
		shortenAll(o.Values)
	case check.Length:
		o.Total, err = c.LLen(background, o.Key).Result()
	}
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// watchFor is how long a client looks at most at what it watches.
const watchFor flotilla.Millis = 20

// compareAndSet replaces whatever it reads, by WATCH, GET, MULTI, SET, EXEC. It watches a
// second key of the slot, too: nobody may change that meanwhile either.
func (c *client) compareAndSet(key, other string) check.Operation {
	var watching, since, asked int64
	isThere := false // the other one
	done := c.do(check.Operation{Key: key, Kind: check.CompareAndSet, Value: c.name()}, func(o *check.Operation) error {
		conn := c.link.conn
		err := c.link.readAt(scenario.Reading{}) // what is replaced must be what is there
		if err == nil {
			watching = c.load.now()
			err = conn.Do(background, "WATCH", o.Key, other).Err()
			since = c.load.now()
		}
		if err == nil {
			isThere, err = c.exists(other)
		}
		if err == nil {
			o.Expect, err = conn.Get(background, o.Key).Result()
			o.Expect = shorten(o.Expect)
		}
		if errors.Is(err, redis.Nil) {
			_ = conn.Do(background, "UNWATCH").Err() // a broken connection shows in the next operation
			return nil
		}
		if err != nil {
			return errors.Join(errBeforeSending, err)
		}
		<-time.After(time.Duration(c.upTo(watchFor)) * time.Millisecond)
		asked = c.load.now()
		_, err = conn.TxPipelined(background, func(p redis.Pipeliner) error {
			p.Set(background, o.Key, c.long(o.Value), 0)
			return nil
		})
		o.Changed = err == nil
		if errors.Is(err, redis.TxFailedErr) {
			return nil
		}
		return err
	})
	w := check.Watched{Operation: done, Keys: []string{key, other}, Since: since}
	c.load.mu.Lock()
	defer c.load.mu.Unlock()
	switch {
	case done.Outcome != check.Known:
	case done.Changed:
		w.Begin = asked
		c.load.watched = append(c.load.watched, w)
	case asked > 0 && isThere:
		w.Since = watching
		c.load.gaveUp = append(c.load.gaveUp, w)
	}
	return done
}

func (c *client) exists(key string) (bool, error) {
	n, err := c.link.conn.Exists(background, key).Result()
	return n == 1, err
}

// changeSet puts a new value into a set, or takes one out that was put in.
func (c *client) changeSet(operation scenario.Operation) check.Operation {
	l := c.load
	o := check.Operation{Key: c.key("set"), Kind: check.Insert, Value: c.name()}
	l.mu.Lock()
	if operation == scenario.SRem {
		o.Kind, o.Value = check.Remove, l.members[o.Key] // the empty name is nobody's
	} else {
		l.members[o.Key] = o.Value
	}
	l.mu.Unlock()
	return c.do(o, func(o *check.Operation) error {
		change := c.link.conn.SAdd
		if o.Kind == check.Remove {
			change = c.link.conn.SRem
		}
		// The same name must always be the same member: its length follows from the load's sizes.
		changed, err := change(background, o.Key, lengthen(o.Value, l.options.Workload.ValueBytes.Least)).Result()
		o.Changed = changed == 1
		return err
	})
}

func (c *client) push(operation scenario.Operation) check.Operation {
	o := check.Operation{Key: c.key("list"), Kind: check.PushLeft, Value: c.name()}
	if operation == scenario.RPush {
		o.Kind = check.PushRight
	}
	return c.do(o, func(o *check.Operation) (err error) {
		push := c.link.conn.LPush
		if o.Kind == check.PushRight {
			push = c.link.conn.RPush
		}
		o.Total, err = push(background, o.Key, c.long(o.Value)).Result()
		return err
	})
}

func (c *client) pop(operation scenario.Operation) check.Operation {
	o := check.Operation{Key: c.key("list"), Kind: check.PopLeft}
	if operation == scenario.RPop {
		o.Kind = check.PopRight
	}
	return c.do(o, func(o *check.Operation) error {
		pop := c.link.conn.LPop
		if o.Kind == check.PopRight {
			pop = c.link.conn.RPop
		}
		value, err := pop(background, o.Key).Result()
		o.Value, o.Found = shorten(value), err == nil
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
}

// transact reads and writes registers of one slot by MULTI and EXEC.
func (c *client) transact() check.Operation {
	keys, epoch := c.load.options.Workload.Keys, c.load.epoch()
	first := c.chance.IntN(keys) / tied * tied
	var o check.Operation
	o.Kind = check.Transaction
	for i := range 2 + c.chance.IntN(3) {
		part := check.Operation{Key: c.load.key("register", epoch, first+c.chance.IntN(min(tied, keys-first))), Kind: check.Read}
		if i == 0 || c.chance.IntN(2) == 0 {
			part.Kind, part.Value = check.Write, fmt.Sprintf("%s-%d", c.name(), i)
		}
		o.Parts = append(o.Parts, part)
	}
	return c.do(o, func(o *check.Operation) error {
		o.Parts = slices.Clone(o.Parts) // what is under way is in the history, too
		answers, err := c.link.conn.TxPipelined(background, func(p redis.Pipeliner) error {
			for _, part := range o.Parts {
				if part.Kind == check.Write {
					p.Set(background, part.Key, c.long(part.Value), 0)
				} else {
					p.Get(background, part.Key)
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		o.Changed = true
		for i := range o.Parts {
			if text, ok := answers[i].(*redis.StringCmd); ok {
				o.Parts[i].Value, o.Parts[i].Found = shorten(text.Val()), text.Err() == nil
			}
		}
		return nil
	})
}
