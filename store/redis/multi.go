package redis

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"flotilla"
	"flotilla/store"
)

// noSlot is a transaction's slot before its first key.
const noSlot = -1

// transaction is what WATCH, MULTI and the commands after it have gathered.
type transaction struct {
	isOpen  bool
	isSpoil bool // a command could not be queued: EXEC must fail
	queued  []queued
	bytes   int
	slot    int // of all keys, watched ones too
	watches []store.Watch
}

// queued is a command that waits for EXEC, with arguments of its own.
type queued struct {
	cmd  *store.Command
	args [][]byte
}

func (tx *transaction) reset() { *tx = transaction{slot: noSlot} }

// spoil remembers that a command of the transaction was wrong.
func (tx *transaction) spoil() { tx.isSpoil = tx.isOpen }

// isOutsideMulti says of what is carried out at once even after MULTI.
func isOutsideMulti(cmd *store.Command) bool {
	switch cmd.Name {
	case "exec", "discard", "multi", "watch", "quit", "reset":
		return true
	}
	return false
}

// isForbiddenInMulti says of what would change the connection in the middle of
// EXEC's reply.
func isForbiddenInMulti(cmd *store.Command) bool {
	switch cmd.Name {
	case "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe",
		"client|reply":
		return true
	}
	return cmd.Flags&store.NoMulti != 0
}

// queue keeps a command for EXEC. All keys of a transaction share a slot.
func (c *conn) queue(cmd *store.Command, args [][]byte) {
	tx := &c.tx
	slot, text := c.slotInMulti(cmd, args)
	size := 0
	for _, arg := range args {
		size += len(arg) + 8
	}
	switch {
	case isForbiddenInMulti(cmd):
		text = "ERR Command not allowed inside a transaction"
	case tx.bytes+size > store.MaxCommandBytes:
		text = store.ErrTooLarge.Error()
	}
	if text != "" {
		c.reject(cmd, text)
		return
	}
	own := make([][]byte, len(args))
	for i, arg := range args {
		own[i] = bytes.Clone(arg)
	}
	tx.slot = slot
	tx.bytes += size
	tx.queued = append(tx.queued, queued{cmd, own})
	c.multi.Store(int32(len(tx.queued)))
	c.out.status("QUEUED")
}

// slotInMulti returns the transaction's slot after a command, or why it can not
// be part of it.
func (c *conn) slotInMulti(cmd *store.Command, args [][]byte) (slot int, text string) {
	if cmd.Flags&store.Door != 0 {
		return c.tx.slot, ""
	}
	if cmd.Flags&store.Everywhere != 0 && c.session.SlotGroups() > 1 {
		return 0, "ERR '" + cmd.Name + "' concerns all groups and is not allowed inside a transaction"
	}
	slot = c.tx.slot
	keys, err := cmd.Keys(args)
	if err != nil {
		return slot, "" // the machine will say what is wrong
	}
	for _, key := range keys {
		switch s := int(flotilla.SlotOf(key)); slot {
		case noSlot:
			slot = s
		case s:
		default:
			return 0, store.ErrCrossSlot.Error()
		}
	}
	return slot, ""
}

func cmdMulti(r *request) {
	c := r.c
	if c.tx.isOpen {
		c.fail(r.cmd, "ERR MULTI calls can not be nested")
		return
	}
	c.tx.isOpen = true
	c.setFlag(flagMulti, true)
	c.multi.Store(0)
	c.out.ok()
}

// endTransaction forgets the transaction and all watched keys.
func (c *conn) endTransaction() {
	c.tx.reset()
	c.setFlag(flagMulti, false)
	c.multi.Store(-1)
}

func cmdDiscard(r *request) {
	if !r.c.tx.isOpen {
		r.c.fail(r.cmd, "ERR DISCARD without MULTI")
		return
	}
	r.c.endTransaction()
	r.c.out.ok()
}

func cmdUnwatch(r *request) {
	r.c.unwatch()
	r.c.out.ok()
}

func (c *conn) unwatch() {
	c.tx.watches = nil
	if !c.tx.isOpen {
		c.tx.slot = noSlot
	}
}

// cmdWatch remembers the keys' versions. The read is linearizable: EXEC finds
// every change that was acknowledged after WATCH was.
func cmdWatch(r *request) {
	c, keys := r.c, r.args[1:]
	if c.tx.isOpen {
		c.fail(r.cmd, "ERR WATCH inside MULTI is not allowed")
		return
	}
	slot := int(flotilla.SlotOf(keys[0]))
	if c.tx.slot != noSlot && c.tx.slot != slot {
		c.fail(r.cmd, store.ErrCrossSlot.Error())
		return
	}
	if err := c.session.AddWatch(keys); err != nil {
		c.fail(r.cmd, failureText(err))
		return
	}
	c.session.Do(r.ctx)
	defer c.session.Reset()
	reply, err := c.session.Reply(0)
	if err != nil {
		c.fail(r.cmd, failureText(err))
		return
	}
	c.tx.slot = slot
	c.watch(keys, store.Items(reply))
	c.out.ok()
}

// watch remembers versions; of a key that is watched already the first one counts.
func (c *conn) watch(keys, versions [][]byte) {
	for i, key := range keys {
		isKnown := false
		for _, w := range c.tx.watches {
			isKnown = isKnown || bytes.Equal(w.Key, key)
		}
		if isKnown {
			continue
		}
		version, err := strconv.ParseUint(string(bytes.TrimSuffix(versions[i][1:], []byte("\r\n"))), 10, 64)
		flotilla.Assert(err == nil, "a version is a number")
		c.tx.watches = append(c.tx.watches, store.Watch{Key: bytes.Clone(key), Version: version})
	}
}

// cmdExec carries out what was queued: the machine's part as one command of one
// entry, then the door's part. The answers stand in the order of queueing.
func cmdExec(r *request) {
	c, tx := r.c, r.c.tx
	switch {
	case !tx.isOpen:
		c.fail(r.cmd, "ERR EXEC without MULTI")
		return
	case tx.isSpoil:
		c.endTransaction()
		c.fail(r.cmd, "EXECABORT Transaction discarded because of previous errors.")
		return
	}
	c.endTransaction()
	replies, err := c.exec(r.ctx, &tx)
	switch {
	case errors.Is(err, errWatchedChanged):
		c.out.nullArray()
		return
	case err != nil:
		c.fail(r.cmd, failureText(err))
		return
	}
	c.out.array(len(tx.queued))
	c.isInExec = true
	defer func() { c.isInExec = false }()
	for _, q := range tx.queued {
		if q.cmd.Flags&store.Door != 0 {
			c.door(r.ctx, q.cmd, q.args)
			continue
		}
		c.server.commands[q.cmd].calls.Add(1)
		c.answer(q.cmd, replies[0], nil)
		replies = replies[1:]
	}
	c.session.Reset()
}

// errWatchedChanged is not a failure: EXEC answers null.
var errWatchedChanged = errors.New("a watched key has changed")

// exec sends the machine's part of a transaction, if there is one, and returns
// the reply to each command.
func (c *conn) exec(ctx context.Context, tx *transaction) ([][]byte, error) {
	var commands [][][]byte
	for _, q := range tx.queued {
		if q.cmd.Flags&store.Door == 0 {
			commands = append(commands, q.args)
		}
	}
	if len(commands) == 0 && len(tx.watches) == 0 {
		return nil, nil
	}
	if err := c.session.AddExec(flotilla.Slot(max(tx.slot, 0)), tx.watches, commands); err != nil {
		return nil, err
	}
	took := c.handOver(ctx)
	reply, err := c.session.Reply(0)
	if err != nil {
		c.session.Reset()
		return nil, err
	}
	c.latency().observe(took, 1)
	switch reply[0] {
	case '!':
		err = errWatchedChanged
	case '-':
		err = errors.New(string(bytes.TrimSpace(reply[1:])))
	}
	if err != nil {
		c.session.Reset()
		return nil, err
	}
	return store.Items(reply), nil
}
