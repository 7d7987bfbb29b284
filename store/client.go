package store

import (
	"context"
	"errors"
	"math/rand/v2"

	"flotilla"
)

// This file is a shell: the only one in the package that waits for others.

// ErrCrossSlot is the answer to a command whose keys have different slots, unless
// it may be split.
var ErrCrossSlot = errors.New("CROSSSLOT Keys in request don't hash to the same slot")

// ErrTooLarge is the answer to a transaction of more than MaxCommandBytes.
var ErrTooLarge = errors.New("ERR transaction is larger than 16777216 bytes")

// Limits of a run: what is more goes out as the next one.
const (
	maxRunCommands = 1024
	maxRunBytes    = 1 << 20
)

// Session is one user's line of commands to the groups: it routes them, gathers
// consecutive ones to a run that travels together, and remembers what it has
// seen. Its memory is used again from run to run. It is not safe for use by
// several goroutines.
//
//	session.Add(command, args) ...  any number, while Joins says yes
//	session.Do(ctx)                 one hand-over, one call per group
//	session.Reply(i)                in the order of Add
//	session.Reset()
type Session struct {
	// Level and MaxAge say how fresh reads must be. They may be changed between runs.
	Level  flotilla.Level
	MaxAge flotilla.Millis
	// Concerns says of which groups DBSIZE, SCAN and the like speak; nil for all.
	Concerns func(*flotilla.Topology, flotilla.GroupID) bool
	// Charge, if set, is asked before the replies of reads take so many bytes more, as
	// flotilla.Call says. Released is told when they are of no more use.
	Charge   func(bytes int) bool
	Released func()

	host   flotilla.Host
	seen   map[flotilla.GroupID]uint64 // the highest index of each group
	wrote  map[flotilla.GroupID]uint64 // that of this session's last acknowledged write
	calls  []*flotilla.Call            // calls[:used] are this run's, one per group
	used   int
	isRead bool
	// isRandom says that the command being added chooses at random.
	isRandom bool
	asked    []asked
	arena    []byte // the run's commands, encoded
}

// asked is where a command's reply will be found.
type asked struct {
	call, at int
	split    *split // nil for nearly all
}

// split is a command that was sent to several groups.
type split struct {
	command *Command
	parts   []asked
	origin  []int            // mget: which part answers each key
	group   flotilla.GroupID // scan: the group that the cursor points to
	next    flotilla.GroupID // scan: the one after it, or 0
}

// NewSession returns a session that sends its commands through host.
func NewSession(host flotilla.Host) *Session {
	return &Session{host: host, seen: map[flotilla.GroupID]uint64{}, wrote: map[flotilla.GroupID]uint64{}}
}

// Len returns how many commands the run has.
func (s *Session) Len() int { return len(s.asked) }

// IsRead reports whether the run has reads, and not writes.
func (s *Session) IsRead() bool { return s.isRead }

// Joins reports whether a command may be part of the current run: a run has
// either reads or writes, and does not grow without end.
func (s *Session) Joins(c *Command) bool {
	return len(s.asked) == 0 ||
		(c.Flags&Write == 0) == s.isRead && len(s.asked) < maxRunCommands && len(s.arena) < maxRunBytes
}

// Add puts a command into the run; args[0] is its name, and all are copied. An
// error means that it was not added: ErrCrossSlot, whose text is the reply, or a
// *flotilla.Failure.
func (s *Session) Add(c *Command, args [][]byte) error {
	s.isRead = c.Flags&Write == 0
	topology := s.host.Topology()
	s.isRandom = c.Flags&Random != 0
	if c.FirstKey > 0 && c.FirstKey == c.LastKey && c.KeysOf == nil && c.FirstKey < len(args) {
		return s.addTo(topology, flotilla.SlotOf(args[c.FirstKey]), args)
	}
	if c.Flags&Everywhere != 0 {
		return s.addEverywhere(topology, c, args)
	}
	keys, err := c.Keys(args)
	if err != nil || len(keys) == 0 {
		return s.addTo(topology, 0, args) // any machine knows what is wrong with it
	}
	slot := flotilla.SlotOf(keys[0])
	if isOneSlot(keys) {
		return s.addTo(topology, slot, args)
	}
	if c.Flags&Scatter == 0 {
		return ErrCrossSlot
	}
	return s.addScattered(topology, c, args, keys)
}

func isOneSlot(keys [][]byte) bool {
	slot := flotilla.SlotOf(keys[0])
	for _, key := range keys[1:] {
		if flotilla.SlotOf(key) != slot {
			return false
		}
	}
	return true
}

// addTo sends a whole command to the group of a slot.
func (s *Session) addTo(topology *flotilla.Topology, slot flotilla.Slot, args [][]byte) error {
	group := groupOf(topology, slot)
	if group == flotilla.Directory {
		return flotilla.Refused(flotilla.NoQuorum, "no group serves the slot yet")
	}
	s.asked = append(s.asked, s.put(group, args))
	return nil
}

func groupOf(topology *flotilla.Topology, slot flotilla.Slot) flotilla.GroupID {
	if topology.SlotMap == nil {
		return flotilla.Directory
	}
	return topology.SlotMap[slot]
}

// put encodes a command into the call of a group.
func (s *Session) put(group flotilla.GroupID, args [][]byte) asked {
	start := len(s.arena)
	if s.isRandom {
		s.arena = EncodeSeeded(s.arena, rand.Uint64()|1, args)
	} else {
		s.arena = Encode(s.arena, args)
	}
	to := s.send(group, start)
	if s.isRead && isLong(Find(args), args) {
		s.calls[to.call].IsLong = true
	}
	return to
}

// send puts what was encoded from start on into the call of a group.
func (s *Session) send(group flotilla.GroupID, start int) asked {
	at := 0
	for at < s.used && s.calls[at].Group != group {
		at++
	}
	if at == s.used {
		s.open(group)
	}
	call := s.calls[at]
	call.Commands = append(call.Commands, s.arena[start:len(s.arena):len(s.arena)])
	return asked{call: at, at: len(call.Commands) - 1}
}

func (s *Session) open(group flotilla.GroupID) {
	if s.used == len(s.calls) {
		s.calls = append(s.calls, &flotilla.Call{})
	}
	call := s.calls[s.used]
	s.used++
	call.Group, call.IsRead, call.Level, call.MaxAge = group, s.isRead, s.Level, s.MaxAge
	call.IsLong, call.After, call.Index, call.Err = false, 0, 0, nil
	call.Commands, call.Charge = call.Commands[:0], s.Charge
	if s.Level == flotilla.Session {
		call.After = s.seen[group]
	}
}

// addScattered sends each group the keys that it owns.
func (s *Session) addScattered(topology *flotilla.Topology, c *Command, args, keys [][]byte) error {
	var groups []flotilla.GroupID
	var parts [][][]byte
	origin := make([]int, len(keys))
	for i, key := range keys {
		group := groupOf(topology, flotilla.SlotOf(key))
		if group == flotilla.Directory {
			return flotilla.Refused(flotilla.NoQuorum, "no group serves the slot yet")
		}
		at := 0
		for at < len(groups) && groups[at] != group {
			at++
		}
		if at == len(groups) {
			groups = append(groups, group)
			parts = append(parts, [][]byte{args[0]})
		}
		parts[at] = append(parts[at], key)
		origin[i] = at
	}
	if len(groups) == 1 {
		s.asked = append(s.asked, s.put(groups[0], args))
		return nil
	}
	into := &split{command: c, origin: origin}
	for i, group := range groups {
		into.parts = append(into.parts, s.put(group, parts[i]))
	}
	s.asked = append(s.asked, asked{split: into})
	return nil
}

// addEverywhere sends a command to all groups that it concerns; SCAN to the one that
// its cursor points to.
func (s *Session) addEverywhere(topology *flotilla.Topology, c *Command, args [][]byte) error {
	scanned := flotilla.Directory // a group that is being scanned is scanned to its end
	if c.Name == "scan" {
		cursor, _ := parseUint(args[1])
		scanned = flotilla.GroupID(cursor >> scanGroupShift)
	}
	var groups []flotilla.GroupID
	for _, g := range topology.Groups {
		if g.ID != flotilla.Directory && (s.Concerns == nil || g.ID == scanned || s.Concerns(topology, g.ID)) {
			groups = append(groups, g.ID)
		}
	}
	if len(groups) == 0 {
		return flotilla.Refused(flotilla.NoQuorum, "no group serves the slots yet")
	}
	if c.Name == "scan" {
		s.addScan(groups, c, args)
		return nil
	}
	if c.Name == "randomkey" {
		rand.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	}
	into := &split{command: c}
	for _, group := range groups {
		into.parts = append(into.parts, s.put(group, args))
	}
	s.asked = append(s.asked, asked{split: into})
	return nil
}

// SlotGroups returns how many groups own slots.
func (s *Session) SlotGroups() (n int) {
	for _, g := range s.host.Topology().Groups {
		if g.ID != flotilla.Directory {
			n++
		}
	}
	return n
}

// AddWatch puts the reading of keys' versions into the run, which must be empty
// and is linearizable whatever the level. The reply is an array of integers.
func (s *Session) AddWatch(keys [][]byte) error {
	if !isOneSlot(keys) {
		return ErrCrossSlot
	}
	group := groupOf(s.host.Topology(), flotilla.SlotOf(keys[0]))
	if group == flotilla.Directory {
		return flotilla.Refused(flotilla.NoQuorum, "no group serves the slot yet")
	}
	s.isRead = true
	level := s.Level
	s.Level = flotilla.Linearizable
	s.arena = EncodeWatch(s.arena, keys)
	s.asked = append(s.asked, s.send(group, 0))
	s.Level = level
	return nil
}

// AddExec puts a transaction into the run, which must be empty: the commands are
// carried out at once, in the group of slot, if no watched key has changed. One
// that only reads, and watches nothing, is a read of the session's level.
func (s *Session) AddExec(slot flotilla.Slot, watches []Watch, commands [][][]byte) error {
	group := groupOf(s.host.Topology(), slot)
	if group == flotilla.Directory {
		return flotilla.Refused(flotilla.NoQuorum, "no group serves the slot yet")
	}
	long := false
	s.isRead, long = onlyReads(watches, commands)
	s.arena = EncodeExec(s.arena, watches, commands)
	if len(s.arena) > MaxCommandBytes {
		s.arena = s.arena[:0]
		return ErrTooLarge
	}
	to := s.send(group, 0)
	s.calls[to.call].IsLong = long
	s.asked = append(s.asked, to)
	return nil
}

// onlyReads reports whether one view can answer a transaction, and whether that
// may take long. Random choices need an entry, whose index is their seed.
func onlyReads(watches []Watch, commands [][][]byte) (isRead, long bool) {
	if len(watches) > 0 || len(commands) == 0 {
		return false, false
	}
	for _, args := range commands {
		c := Find(args)
		if c == nil || c.Flags&Write != 0 || c.Flags&Random != 0 {
			return false, false
		}
		long = long || isLong(c, args)
	}
	return true, long
}

// isLong reports whether a command may visit very much. One that chooses at random does
// only if it is told how many.
func isLong(c *Command, args [][]byte) bool {
	return c != nil && c.Flags&Long != 0 && (c.Flags&Random == 0 || len(args) > 2)
}

// Do sends the run and returns when each command has its reply or failure.
// Nothing is ever sent twice.
func (s *Session) Do(ctx context.Context) {
	calls := s.calls[:s.used]
	s.host.Do(ctx, calls...)
	for _, call := range calls {
		if call.Err == nil && call.Index > s.seen[call.Group] {
			s.seen[call.Group] = call.Index
		}
		if call.Err == nil && !call.IsRead {
			s.wrote[call.Group] = call.Index
		}
	}
}

// Written returns the index of the session's last acknowledged write in each group
// that it wrote to. The map must not be changed, and is valid until Do.
func (s *Session) Written() map[flotilla.GroupID]uint64 { return s.wrote }

// Reply returns what the i-th command of the run was answered, in the machine's
// notation (see RenderRESP2 and RenderRESP3), or its *flotilla.Failure. It is
// valid until Reset.
func (s *Session) Reply(i int) ([]byte, error) {
	a := &s.asked[i]
	if a.split != nil {
		return s.combine(a.split)
	}
	return s.reply(*a)
}

func (s *Session) reply(a asked) ([]byte, error) {
	call := s.calls[a.call]
	if call.Err != nil {
		return nil, call.Err
	}
	return call.Replies[a.at], nil
}

// Reset empties the run. Memory that was needed for something large is given back.
func (s *Session) Reset() {
	for _, call := range s.calls[:s.used] {
		clear(call.Commands)
		for i, reply := range call.Replies {
			if len(reply) > keptRoom {
				call.Replies[i] = nil
			}
		}
	}
	if s.Released != nil {
		s.Released()
	}
	clear(s.asked)
	s.asked = s.asked[:0]
	s.used = 0
	s.arena = s.arena[:0]
	if cap(s.arena) > keptRoom {
		s.arena = nil
	}
}
