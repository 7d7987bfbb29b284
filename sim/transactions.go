package sim

import (
	"slices"
	"strconv"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/store"
)

// part draws what a transaction does with one of the keys of a slot.
func (c *client) part(t tie) check.Operation {
	switch p := c.chance.IntN(100); {
	case p < 35:
		return check.Operation{Kind: check.Write, Key: t.key(c, register), Value: c.unique()}
	case p < 60:
		return check.Operation{Kind: check.Read, Key: t.key(c, register)}
	case p < 65:
		return check.Operation{Kind: check.Delete, Key: t.key(c, register)}
	case p < 75:
		return check.Operation{Kind: check.Write, Key: t.key(c, passing), Value: c.unique()}
	case p < 82:
		return check.Operation{Kind: check.Read, Key: t.key(c, passing)}
	case p < 94:
		return check.Operation{Kind: check.Add, Key: t.key(c, tally), Number: int64(1 + c.chance.IntN(5))}
	}
	return check.Operation{Kind: check.Count, Key: t.key(c, tally)}
}

// watching is what a client watches before a transaction.
type watching struct {
	keys    []string
	watches []store.Watch     // of these keys
	guards  []check.Operation // what it read of these keys since
	asked   int64             // when WATCH was asked for, on the recorder's clock
	since   int64             // when its answer had come
}

// transact is MULTI, some commands, and EXEC.
func (c *client) transact(t tie, w *watching) []check.Operation {
	o := check.Operation{Kind: check.Transaction}
	if w != nil {
		o.Guards = w.guards
		for _, guard := range w.guards { // look again: it must still be so
			o.Parts = append(o.Parts, check.Operation{Kind: check.Read, Key: guard.Key})
		}
	}
	for range 2 + c.chance.IntN(3) {
		o.Parts = append(o.Parts, c.part(t))
	}
	return c.exec(o, w)
}

// readTogether is MULTI, reads, and EXEC, at any level.
func (c *client) readTogether() []check.Operation {
	t := c.tie()
	o := c.at(c.w.plan.Workload.Reading(c.draw()), check.Operation{Kind: check.Transaction})
	for len(o.Parts) < 3 {
		if p := c.part(t); p.Kind == check.Read || p.Kind == check.Count {
			o.Parts = append(o.Parts, p)
		}
	}
	return c.exec(o, nil)
}

// exec sends a transaction and writes down what came of it.
func (c *client) exec(o check.Operation, w *watching) []check.Operation {
	var watches []store.Watch
	if w != nil {
		watches = w.watches
	}
	c.w.count("transaction")
	commands := make([][][]byte, len(o.Parts))
	for i, p := range o.Parts {
		commands[i] = c.wordsOf(p)
	}
	o.Client = c.name
	c.w.expiries.begin(c.w, []check.Operation{o})
	done := c.w.recorder.Do(o, func(o *check.Operation) {
		c.session.Level = flotilla.Level(o.Level)
		told := c.send(1, func(s *store.Session) error {
			return s.AddExec(flotilla.SlotOf([]byte(o.Parts[0].Key)), watches, commands)
		})[0]
		o.Outcome, o.Changed = told.outcome, told.kind == '*'
		if !o.Changed {
			return
		}
		if len(told.items) != len(o.Parts) {
			c.w.fault("client %d asked for %d commands in one step and was answered %d", c.name, len(o.Parts), len(told.items))
			return
		}
		o.Parts = slices.Clone(o.Parts) // what is under way is in the history, too
		for i := range o.Parts {
			learn(&o.Parts[i], told.items[i])
		}
	})
	c.w.expiries.ended([]check.Operation{done})
	switch {
	case w == nil && done.Outcome == check.Known && !done.Changed:
		c.w.fault("client %d was answered nil to EXEC, and had watched nothing", c.name)
	case w == nil || done.Outcome != check.Known:
	case !done.Changed:
		c.w.count("WATCH noticed a change")
		if !slices.ContainsFunc(w.guards, func(o check.Operation) bool { return !o.Found }) {
			c.w.gaveUp = append(c.w.gaveUp, check.Watched{Operation: done, Keys: w.keys, Since: w.asked})
		}
	default:
		c.w.count("WATCH held")
		c.w.watched = append(c.w.watched, check.Watched{Operation: done, Keys: w.keys, Since: w.since})
	}
	return []check.Operation{done}
}

// watch watches one or two keys, reads them, waits, and changes something if they
// are still as they were.
func (c *client) watch() []check.Operation {
	t := c.tie()
	keys := []string{t.key(c, []string{register, passing}[c.chance.IntN(2)])}
	if c.chance.IntN(2) == 0 {
		keys = append(keys, t.key(c, register))
	}
	asked := int64(c.w.now)
	told := c.send(1, func(s *store.Session) error { return s.AddWatch(bytesOf(keys...)) })[0]
	if told.outcome != check.Known || c.session == nil {
		return []check.Operation{{Kind: check.Read, Key: keys[0], Outcome: told.outcome}}
	}
	w := &watching{keys: keys, asked: asked, since: int64(c.w.now)}
	reads := make([]check.Operation, len(keys))
	for i, key := range keys {
		w.watches = append(w.watches, store.Watch{Key: []byte(key), Version: uint64(told.items[i].number())})
		reads[i] = check.Operation{Kind: check.Read, Key: key}
	}
	w.guards = c.ask(reads...)
	if slices.ContainsFunc(w.guards, hasNoAnswer) {
		return w.guards
	}
	patience := 20 * time.Millisecond
	if isPassing(keys[0]) {
		patience = time.Second // it may expire, or come and go
	}
	c.sleep(between(c.chance, 0, patience))
	if c.session == nil || !c.host.isUp() {
		return w.guards
	}
	return c.transact(t, w)
}

// anything makes choices by chance: nothing is judged but that all replicas agree.
func (c *client) anything(key string) []check.Operation {
	commands := [][]string{{"sadd", key, c.unique(), c.unique(), c.unique()}, {"spop", key}, {"pexpire", key, strconv.Itoa(100 + c.chance.IntN(1000))}}
	args := bytesOf(commands[c.chance.IntN(len(commands))]...)
	told := c.send(1, func(s *store.Session) error { return s.Add(store.Lookup(args[0]), args) })[0]
	return []check.Operation{{Key: key, Outcome: told.outcome}}
}
