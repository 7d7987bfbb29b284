package store

import (
	"cmp"
	"encoding/binary"
	"slices"

	"flotilla"
)

// Machine carries out the store's commands. It implements flotilla.Machine.
type Machine struct {
	maxVisited int64 // 0 means MaxVisited: only tests have another
}

var _ flotilla.Machine = Machine{}

// counterKey is where a group's counters lie.
const counterKey = "s" + string(spaceCounter)

// counters is what a group knows of all its keys: read when an entry begins,
// written when it ends if it changed.
type counters struct {
	keys       int64
	nextExpiry flotilla.Millis // no later than the first expiry in the index; 0 for none
	lastID     uint64          // of a collection
	isChanged  bool
}

func readCounters(r flotilla.Reader) (n counters) {
	value, ok := r.Get([]byte(counterKey))
	if !ok {
		return n
	}
	flotilla.Assert(len(value) == 24, "the counters have 24 bytes")
	n.keys = int64(binary.BigEndian.Uint64(value))
	n.nextExpiry = flotilla.Millis(binary.BigEndian.Uint64(value[8:]))
	n.lastID = binary.BigEndian.Uint64(value[16:])
	return n
}

// Begin deletes keys whose time has come, at most maxExpiredPerEntry.
func (Machine) Begin(tx *flotilla.Tx) {
	c := entryCall(tx)
	next := c.counters.nextExpiry
	if next == 0 {
		return
	}
	if next <= tx.Time {
		next = c.expire()
		c.counters.nextExpiry = next
		c.counters.isChanged = true
	}
	if next != 0 {
		tx.WakeAt(next)
	}
}

// entryCall returns the call that all commands of an entry share.
func entryCall(tx *flotilla.Tx) *call {
	if c, ok := tx.Scratch.(*call); ok {
		return c
	}
	c := newCall(tx.State, tx, tx.Time, tx.Time)
	c.counters = readCounters(tx)
	tx.Scratch = c
	return c
}

// expire deletes expired keys and returns the first expiry that is left, or 0.
func (c *call) expire() flotilla.Millis {
	start := []byte{byte(flotilla.SystemStore), spaceExpiry}
	var next flotilla.Millis
	var due [][]byte
	for key := range c.tx.Scan(start, prefixEnd(start)) {
		at := flotilla.Millis(binary.BigEndian.Uint64(key[2:]))
		if at > c.time || len(due) == maxExpiredPerEntry {
			next = at
			break
		}
		due = append(due, append([]byte(nil), key[expiryKeyHead:]...))
	}
	for _, key := range due {
		it := c.load(key)
		c.remove(&it)
		c.notify('x', "expired", key)
	}
	return next
}

// Apply carries out one command. Its reply is valid until the next one.
func (m Machine) Apply(tx *flotilla.Tx, command []byte) []byte {
	c := entryCall(tx)
	c.spent, c.maxSpent = 0, cmp.Or(m.maxVisited, MaxVisited)
	if cap(c.out) > keptRoom {
		c.out = nil
	}
	c.out = c.out[:0]
	c.do(command)
	return c.out
}

// End writes the entry's counters.
func (Machine) End(tx *flotilla.Tx) {
	c, ok := tx.Scratch.(*call)
	if !ok || !c.counters.isChanged {
		return
	}
	c.counters.isChanged = false
	var room [24]byte
	value := binary.BigEndian.AppendUint64(room[:0], uint64(c.counters.keys))
	value = binary.BigEndian.AppendUint64(value, uint64(c.counters.nextExpiry))
	value = binary.BigEndian.AppendUint64(value, c.counters.lastID)
	tx.Set([]byte(counterKey), value)
}

// Read answers a command that changes nothing; others are refused.
func (Machine) Read(view *flotilla.View, command []byte) []byte {
	c := newCall(view.Reader, nil, view.Time, max(view.Now, view.Time))
	c.charge = view.Charge
	c.do(command)
	return c.out
}

// Deadline returns when the next key expires, or a little before.
func (Machine) Deadline(r flotilla.Reader) flotilla.Millis {
	if next := readCounters(r).nextExpiry; next != 0 {
		return next
	}
	return flotilla.Never
}

// do carries out a command of any form. A reply that grew too large becomes an
// error; a MULTI body has done its work all the same.
func (c *call) do(command []byte) {
	c.seed, c.isTooLarge, c.isRefused = 0, false, false
	c.decode(command)
	if c.isTooLarge {
		c.out = nil // it may be large
		if c.isRefused {
			c.err(errReplyNoMemory)
			return
		}
		c.err(errReplyTooLarge)
	}
}

func (c *call) decode(command []byte) {
	d := decoder{rest: command}
	d.bad = d.byte() != byte(flotilla.SystemStore)
	n := d.count()
	if n == 0 && !d.bad {
		c.doSpecial(&d)
		return
	}
	c.runDecoded(&d, n)
}

// runDecoded carries out the command of n arguments that is left in d.
func (c *call) runDecoded(d *decoder, n int) {
	c.args = d.args(c.argsRoom[:0], n)
	if d.bad || len(d.rest) > 0 || n == 0 {
		c.err(errMalformed)
		return
	}
	c.run()
}

func (c *call) doSpecial(d *decoder) {
	switch d.byte() {
	case opExec:
		c.exec(d)
	case opWatch:
		c.watch(d)
	case opSeeded:
		c.seed = d.uvarint()
		c.runDecoded(d, d.count())
	default:
		c.err(errMalformed)
	}
}

// run carries out the command in c.args.
func (c *call) run() {
	c.cmd = Find(c.args)
	if c.cmd == nil || c.cmd.run == nil {
		c.unknown()
		return
	}
	if !c.cmd.hasArity(len(c.args)) {
		c.wrongArity(c.cmd.Name)
		return
	}
	if c.tx == nil && c.cmd.Flags&Write != 0 {
		c.err("ERR a read may not change anything")
		return
	}
	if c.cmd.FirstKey > 0 && !c.keysFit() {
		c.err("ERR key is longer than 65536 bytes")
		return
	}
	if c.cmd.Flags&DenyOOM != 0 && c.tx != nil && c.tx.NoRoom {
		c.err(errNoRoom)
		return
	}
	if c.tx == nil {
		c.cmd.run(c)
		return
	}
	c.guarded()
}

// keysFit says whether no key is too long.
func (c *call) keysFit() bool {
	last := c.cmd.LastKey
	if last < 0 {
		last += len(c.args)
	}
	for i := c.cmd.FirstKey; i <= last && i < len(c.args); i += c.cmd.Step {
		if len(c.args[i]) > MaxKeyBytes {
			return false
		}
	}
	return true
}

// unknown answers as Redis does to a command that it does not have.
func (c *call) unknown() {
	if c.cmd != nil && c.cmd.IsContainer() && len(c.args) == 1 {
		c.wrongArity(c.cmd.Name)
		return
	}
	if c.cmd != nil && c.cmd.IsContainer() && len(c.args) > 1 {
		c.err("ERR unknown subcommand '" + string(c.args[1][:min(len(c.args[1]), 128)]) + "'. Try " +
			upper(c.cmd.Name) + " HELP.")
		return
	}
	text := "ERR unknown command '" + string(c.args[0][:min(len(c.args[0]), 128)]) + "', with args beginning with: "
	start := len(text)
	for _, arg := range c.args[1:] {
		if len(text)-start >= 128 {
			break
		}
		text += "'" + string(arg[:min(len(arg), 128-(len(text)-start))]) + "' "
	}
	c.err(text)
}

// exec carries out a MULTI body: nothing if a watched key changed, else every
// command, whether or not those before it failed. A read may carry out one that
// only reads: run refuses everything else.
func (c *call) exec(d *decoder) {
	isChanged := false
	watches := d.count()
	if c.tx == nil && watches > 0 {
		c.err("ERR a read may not watch")
		return
	}
	for range watches {
		key := d.bytes()
		version := d.uvarint()
		isChanged = isChanged || c.watchedVersion(key) != version
	}
	commands := d.count()
	bodies := make([][][]byte, 0, min(commands, 64))
	for range commands {
		bodies = append(bodies, d.args(nil, d.count()))
	}
	if d.bad || len(d.rest) > 0 { // before anything was done
		c.err(errMalformed)
		return
	}
	if isChanged {
		c.nullArray()
		return
	}
	if c.tx != nil && c.tx.NoRoom && slices.ContainsFunc(bodies, grows) {
		c.err(errNoRoom)
		return
	}
	c.array(len(bodies))
	c.isInExec = true
	for _, c.args = range bodies {
		if len(c.args) == 0 {
			c.err(errMalformed)
			continue
		}
		c.run()
	}
	c.isInExec = false
}

// grows reports whether a command can make the data grow.
func grows(args [][]byte) bool {
	cmd := Find(args)
	return cmd != nil && cmd.Flags&DenyOOM != 0
}

// watch answers with the versions of keys.
func (c *call) watch(d *decoder) {
	keys := d.args(nil, d.count())
	if d.bad || len(d.rest) > 0 {
		c.err(errMalformed)
		return
	}
	c.array(len(keys))
	for _, key := range keys {
		c.int(int64(c.watchedVersion(key)))
	}
}
