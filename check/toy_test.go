package check

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
)

// toy is a store that is right by being simple: the tests' second opinion.
type toy struct {
	values map[string]string   // registers
	totals map[string]int64    // counters
	lists  map[string][]string // lists, and sets as sorted lists
}

func newToy() *toy {
	return &toy{values: map[string]string{}, totals: map[string]int64{}, lists: map[string][]string{}}
}

func (s *toy) clone() *toy {
	c := &toy{values: maps.Clone(s.values), totals: maps.Clone(s.totals), lists: map[string][]string{}}
	for key, values := range s.lists {
		c.lists[key] = slices.Clone(values)
	}
	return c
}

// do carries out an operation and fills in its answer.
func (s *toy) do(o *Operation) {
	here := s.lists[o.Key]
	i := slices.Index(here, o.Value)
	switch o.Kind {
	case Read:
		o.Value, o.Found = s.values[o.Key]
	case Write:
		s.values[o.Key] = o.Value
	case Delete:
		_, isValue := s.values[o.Key]
		_, isTotal := s.totals[o.Key]
		o.Changed = isValue || isTotal || len(here) > 0
		delete(s.values, o.Key)
		delete(s.totals, o.Key)
		delete(s.lists, o.Key)
	case CompareAndSet:
		held, isThere := s.values[o.Key]
		if o.Changed = isThere && held == o.Expect; o.Changed {
			s.values[o.Key] = o.Value
		}
	case Add:
		s.totals[o.Key] += o.Number
		o.Total = s.totals[o.Key]
	case Count:
		o.Total = s.totals[o.Key]
	case Insert:
		if o.Changed = i < 0; o.Changed {
			s.lists[o.Key] = append(here, o.Value)
		}
	case Remove:
		if o.Changed = i >= 0; o.Changed {
			s.lists[o.Key] = slices.Delete(here, i, i+1)
		}
	case Members:
		o.Values = slices.Clone(here)
	case Transaction:
		s.transact(o)
	default:
		s.doList(o)
	}
}

func (s *toy) doList(o *Operation) {
	here := s.lists[o.Key]
	switch o.Kind {
	case PushLeft:
		s.lists[o.Key] = append([]string{o.Value}, here...)
	case PushRight:
		s.lists[o.Key] = append(here, o.Value)
	case PopLeft:
		if o.Found = len(here) > 0; o.Found {
			o.Value, s.lists[o.Key] = here[0], here[1:]
		}
		return
	case PopRight:
		if o.Found = len(here) > 0; o.Found {
			o.Value, s.lists[o.Key] = here[len(here)-1], here[:len(here)-1]
		}
		return
	case Range:
		if o.isWhole() {
			o.Values = slices.Clone(here)
		} else {
			o.Values = slices.Clone(here[min(1, len(here)):min(3, len(here))]) // 1 to 2
		}
		return
	}
	o.Total = int64(len(s.lists[o.Key]))
}

func (s *toy) transact(o *Operation) {
	for _, guard := range o.Guards {
		if held, isThere := s.values[guard.Key]; isThere != guard.Found || held != guard.Value {
			o.Changed = false
			return
		}
	}
	o.Changed = true
	o.Parts = slices.Clone(o.Parts)
	for i := range o.Parts {
		s.do(&o.Parts[i])
	}
}

// toyCluster is a history in the making: one true log, replicas that lag behind it,
// and clients of which some never get an answer. It can be told to break one rule.
type toyCluster struct {
	chance   *rand.Rand
	rule     string // the rule to break, or nothing
	isBroken bool   // it was
	clock    int64
	recorder *Recorder
	states   []*toy  // after each change, the empty one first
	times    []int64 // when each took effect
	clients  []*toyClient
	late     []Operation // with no answer, still to happen
	sequence int
}

type toyClient struct {
	id      int
	seen    int // the newest state that its session knows of
	isBusy  bool
	isDone  bool // the operation took effect
	place   int  // in the recorder
	o       Operation
	outcome Outcome
}

func newToyCluster(seed uint64, rule string, clients int) *toyCluster {
	c := &toyCluster{chance: rand.New(rand.NewPCG(seed, 11)), rule: rule, states: []*toy{newToy()}, times: []int64{0}}
	c.recorder = NewRecorder(func() int64 { return c.clock })
	for id := range clients {
		c.clients = append(c.clients, &toyClient{id: id})
	}
	return c
}

// run plays some steps, lets everybody come to an end, and returns the history.
func (c *toyCluster) run(steps int) []Operation {
	for range steps {
		c.clock += c.chance.Int64N(40)
		if len(c.late) > 0 && c.chance.IntN(20) == 0 {
			c.happenLate()
		}
		c.move(c.clients[c.chance.IntN(len(c.clients))], true)
	}
	for _, client := range c.clients {
		for client.isBusy {
			c.clock++
			c.move(client, false)
		}
	}
	for len(c.late) > 0 && c.chance.IntN(3) > 0 {
		c.happenLate()
	}
	c.readAll()
	return c.recorder.History()
}

// readAll reads every key once more, as a client of its own.
func (c *toyCluster) readAll() {
	for _, o := range []Operation{{Key: "r", Kind: Read}, {Key: "c", Kind: Count}, {Key: "s", Kind: Members}, {Key: "l", Kind: Range, To: -1}} {
		for _, n := range []string{"0", "1"} {
			o := o
			o.Client, o.Key = 1000, o.Key+n
			c.recorder.Do(o, func(o *Operation) {
				c.states[len(c.states)-1].do(o)
				o.Outcome = Known
			})
		}
	}
}

// move lets a client begin, take effect or end.
func (c *toyCluster) move(client *toyClient, mayBegin bool) {
	switch {
	case !client.isBusy && mayBegin:
		client.o = c.ask()
		client.o.Client = client.id
		client.place = c.recorder.begin(&client.o)
		client.isBusy, client.isDone, client.outcome = true, false, Known
		switch pick := c.chance.IntN(100); {
		case pick < 6:
			client.outcome = Unknown
		case pick < 10:
			client.outcome = Refused
		}
	case client.isBusy && !client.isDone:
		client.isDone = true
		c.happen(client)
	case client.isBusy:
		client.o.Outcome = client.outcome
		c.recorder.end(client.place, &client.o)
		client.isBusy = false
	}
}

// happen lets an operation take effect, now or later or never.
func (c *toyCluster) happen(client *toyClient) {
	asked := client.o
	switch {
	case asked.isWeakRead():
		c.look(client)
	case client.outcome == Refused:
		if !asked.IsRead() && c.breaks("refused", 1) {
			c.change(&asked)
		}
	case client.outcome == Unknown && c.chance.IntN(2) == 0:
		if c.chance.IntN(2) == 0 {
			c.late = append(c.late, asked)
		}
	case client.outcome == Unknown:
		c.change(&asked)
		if isAdding := asked.Kind == Add || familyOf(asked.Kind) == list && asked.stores(); isAdding && c.breaks("twice", 1) {
			again := client.o
			c.change(&again)
		}
	default:
		c.change(&client.o)
		client.seen = len(c.states) - 1
	}
}

// change appends a state.
func (c *toyCluster) change(o *Operation) {
	next := c.states[len(c.states)-1].clone()
	if !o.IsRead() && o.Kind != CompareAndSet && o.Kind != Transaction && c.breaks("forget", 8) {
		next.clone().do(o)
	} else if last := len(o.Parts) - 1; last > 0 && len(o.Guards) == 0 && !o.Parts[last].IsRead() && c.breaks("half", 1) {
		o.Parts, o.Changed = slices.Clone(o.Parts), true
		for i := range o.Parts[:last] {
			next.do(&o.Parts[i])
		}
		next.clone().do(&o.Parts[last]) // answered, and forgotten
	} else {
		next.do(o)
	}
	c.states, c.times = append(c.states, next), append(c.times, c.clock)
}

func (c *toyCluster) happenLate() {
	i := c.chance.IntN(len(c.late))
	o := c.late[i]
	c.late = slices.Delete(c.late, i, i+1)
	c.change(&o)
}

// look lets a weak read see a state that its level allows, or one that it does not.
func (c *toyCluster) look(client *toyClient) {
	newest, oldest := len(c.states)-1, 0
	if client.o.Level == LevelSession {
		oldest = client.seen
	}
	for client.o.Level == LevelBounded && oldest < newest && c.times[oldest+1] < client.o.Begin-client.o.Age {
		oldest++
	}
	at := oldest
	if c.chance.IntN(3) > 0 {
		at += c.chance.IntN(newest - oldest + 1)
	}
	if c.rule == client.o.Level.String() && client.outcome == Known && oldest > 0 {
		at = c.chance.IntN(oldest)
	}
	found := c.answer(client.o, at)
	if at < oldest { // broken, unless an allowed state would have had the same answer
		isSame := false
		for allowed := oldest; allowed <= newest; allowed++ {
			isSame = isSame || fmt.Sprint(c.answer(client.o, allowed)) == fmt.Sprint(found)
		}
		c.isBroken = c.isBroken || !isSame
	}
	client.o = found
	if client.outcome == Known {
		c.spoil(&client.o)
	}
	client.seen = max(client.seen, at)
}

// answer is what a read finds in a state.
func (c *toyCluster) answer(o Operation, at int) Operation {
	c.states[at].clone().do(&o)
	return o
}

// spoil changes what a weak read found.
func (c *toyCluster) spoil(o *Operation) {
	if o.Kind == Members && len(o.Values) > 1 && c.breaks("mixture", 1) {
		o.Values = o.Values[1:] // the oldest is gone
	}
	if o.Kind == Range && o.isWhole() && len(o.Values) > 1 && c.breaks("disorder", 1) {
		slices.Reverse(o.Values)
	}
	if o.Kind == Read && o.Found && c.breaks("invented", 1) {
		o.Value += "?"
	}
}

// breaks reports whether the rule is the one to be broken, and, one time in n, it is now.
func (c *toyCluster) breaks(rule string, n int) bool {
	if c.rule != rule || c.chance.IntN(n) > 0 {
		return false
	}
	c.isBroken = true
	return true
}

// value is mostly a new one.
func (c *toyCluster) value() string {
	c.sequence++
	if c.chance.IntN(12) == 0 {
		return "again"
	}
	return strconv.Itoa(c.sequence)
}

// ask returns an operation of any kind.
func (c *toyCluster) ask() Operation {
	if c.chance.IntN(100) < 12 {
		return c.askTransaction()
	}
	o := c.askOne()
	if o.IsRead() {
		o.Level = Level(c.chance.IntN(4))
		o.Age = 100
	}
	return o
}

// askOne returns an operation on one key.
func (c *toyCluster) askOne() Operation {
	key := fmt.Sprint(c.chance.IntN(2))
	now := c.states[len(c.states)-1]
	switch pick := c.chance.IntN(100); {
	case pick < 12:
		return Operation{Key: "r" + key, Kind: Write, Value: c.value()}
	case pick < 30:
		return Operation{Key: "r" + key, Kind: Read}
	case pick < 38:
		return Operation{Key: "r" + key, Kind: CompareAndSet, Expect: now.values["r"+key], Value: c.value()}
	case pick < 41:
		return Operation{Key: []string{"r0", "r1", "s0", "s1", "l0", "l1", "c1"}[c.chance.IntN(7)], Kind: Delete}
	case pick < 47:
		return Operation{Key: "c" + key, Kind: Add, Number: 1 + c.chance.Int64N(2)}
	case pick < 49: // only this one goes up and down
		return Operation{Key: "c1", Kind: Add, Number: -1}
	case pick < 57:
		return Operation{Key: "c" + key, Kind: Count}
	case pick < 65:
		return Operation{Key: "s" + key, Kind: Insert, Value: c.value()}
	case pick < 67:
		return Operation{Key: "s" + key, Kind: Remove, Value: strconv.Itoa(1 + c.chance.IntN(c.sequence+1))}
	case pick < 75:
		return Operation{Key: "s" + key, Kind: Members}
	case pick < 85:
		return Operation{Key: "l" + key, Kind: []Kind{PushLeft, PushRight}[c.chance.IntN(2)], Value: c.value()}
	case pick < 88:
		return Operation{Key: "l" + key, Kind: []Kind{PopLeft, PopRight}[c.chance.IntN(2)]}
	case pick < 90:
		return Operation{Key: "l" + key, Kind: Length}
	case pick < 92:
		return Operation{Key: "l" + key, Kind: Range, From: 1, To: 2}
	}
	return Operation{Key: "l" + key, Kind: Range, To: -1}
}

// askTransaction returns a transaction, with a watched register half of the time.
func (c *toyCluster) askTransaction() Operation {
	o := Operation{Kind: Transaction}
	for range 2 + c.chance.IntN(2) {
		part := c.askOne()
		for part.Kind == CompareAndSet { // a condition within: not what EXEC can do
			part = c.askOne()
		}
		o.Parts = append(o.Parts, part)
	}
	if c.chance.IntN(2) == 0 {
		guard := Operation{Key: "r0", Kind: Read}
		c.states[len(c.states)-1].do(&guard)
		o.Guards = []Operation{guard}
	} else if o.IsRead() {
		o.Level, o.Age = Level(c.chance.IntN(4)), 100
	}
	return o
}

// final returns what is there at the end.
func (c *toyCluster) final() map[string]Final {
	s := c.states[len(c.states)-1]
	all := map[string]Final{}
	for _, kind := range []string{"r", "c", "s", "l"} {
		for _, n := range []string{"0", "1"} {
			key := kind + n
			value, found := s.values[key]
			all[key] = Final{Found: found, Value: value, Total: s.totals[key], Values: s.lists[key]}
		}
	}
	return all
}
