package store

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"flotilla"
)

// SCAN's cursor over the whole cluster:
//
//	bits 62..48 group | bits 47..0 the cursor within the group (46 bits are used)
//
// A group is scanned to its end, then the next one in order of number begins.
// Group 0 is the directory, which has no keys, so that 0 stays free to mean both
// "from the start" and "done".
const scanGroupShift = 48

// addScan sends one step of a scan to the group that its cursor points to.
func (s *Session) addScan(groups []flotilla.GroupID, c *Command, args [][]byte) {
	slices.Sort(groups)
	cursor, ok := parseUint(args[1])
	if !ok {
		s.asked = append(s.asked, s.put(groups[0], args)) // the machine says what is wrong
		return
	}
	wanted, inner := flotilla.GroupID(cursor>>scanGroupShift), cursor&(1<<scanGroupShift-1)
	at, isThere := slices.BinarySearch(groups, wanted)
	if !isThere {
		inner = 0 // the start, or a group that is gone: go on with the one after it
	}
	if at == len(groups) {
		at = len(groups) - 1
		inner = 1<<46 - 1 // past the last key of the last group
	}
	into := &split{command: c, group: groups[at]}
	if at+1 < len(groups) {
		into.next = groups[at+1]
	}
	args = slices.Clone(args)
	args[1] = strconv.AppendUint(nil, inner, 10)
	into.parts = []asked{s.put(groups[at], args)}
	s.asked = append(s.asked, asked{split: into})
}

// combine makes one reply of what several groups answered.
func (s *Session) combine(of *split) ([]byte, error) {
	parts := make([][]byte, len(of.parts))
	failures := make([]error, 0, len(of.parts))
	for i, a := range of.parts {
		reply, err := s.reply(a)
		if err != nil {
			failures = append(failures, err)
		}
		parts[i] = reply
	}
	switch {
	case len(failures) > 0 && s.isRead:
		return nil, failures[0]
	case len(failures) > 0:
		return nil, flotilla.Joined(failures, len(parts))
	}
	for _, part := range parts {
		if part[0] == '-' {
			return part, nil
		}
	}
	if text := s.joins(parts); text != "" {
		var r replies
		r.err(text)
		return r.out, nil
	}
	switch of.command.Name {
	case "mget":
		return interleave(parts, of.origin), nil
	case "keys":
		return concatenate(parts), nil
	case "scan":
		return moveCursor(parts[0], of.group, of.next), nil
	case "randomkey":
		for _, part := range parts {
			if part[0] != '_' {
				return part, nil
			}
		}
		return parts[0], nil
	}
	if parts[0][0] == ':' {
		return sum(parts), nil
	}
	return parts[0], nil
}

// joins makes sure that there is memory for the parts in one piece, or says what is wrong.
func (s *Session) joins(parts [][]byte) (problem string) {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	switch {
	case size > MaxReplyBytes:
		return errReplyTooLarge
	case size > freeRoom && s.Charge != nil && !s.Charge(size):
		return errReplyNoMemory
	}
	return ""
}

func sum(parts [][]byte) []byte {
	var total int64
	for _, part := range parts {
		n, _ := parseInt(bytes.TrimSuffix(part[1:], []byte("\r\n")))
		total += n
	}
	var r replies
	r.int(total)
	return r.out
}

// concatenate joins arrays.
func concatenate(parts [][]byte) []byte {
	var r replies
	total := 0
	for _, part := range parts {
		n, items := cutHeader(part)
		total += n
		r.out = append(r.out, items...)
	}
	r.wrap(0, '*', total)
	return r.out
}

// interleave takes the items of arrays in the order that origin says.
func interleave(parts [][]byte, origin []int) []byte {
	var r replies
	r.array(len(origin))
	for i := range parts {
		_, parts[i] = cutHeader(parts[i])
	}
	for _, from := range origin {
		var item []byte
		item, parts[from] = CutReply(parts[from])
		r.out = append(r.out, item...)
	}
	return r.out
}

// moveCursor puts the group into the cursor of a scan's reply.
func moveCursor(reply []byte, group, next flotilla.GroupID) []byte {
	_, items := cutHeader(reply)
	head, keys := CutReply(items)
	_, digits := cutHeader(head)
	cursor, _ := parseUint(bytes.TrimSuffix(digits, []byte("\r\n")))
	switch {
	case cursor != 0:
		cursor |= uint64(group) << scanGroupShift
	case next != 0:
		cursor = uint64(next) << scanGroupShift
	}
	var r replies
	r.array(2)
	r.bulk(strconv.AppendUint(nil, cursor, 10))
	r.out = append(r.out, keys...)
	return r.out
}

// cutHeader takes the first line off a reply and returns the number in it.
func cutHeader(reply []byte) (n int, rest []byte) {
	end := bytes.IndexByte(reply, '\n')
	n, _ = strconv.Atoi(string(reply[1 : end-1]))
	return n, reply[end+1:]
}

// CutReply takes the first whole item off a sequence of replies. The sequence
// must have come from a machine.
func CutReply(replies []byte) (item, rest []byte) {
	rest = replies
	for open := 1; open > 0; open-- {
		kind := rest[0]
		end := bytes.IndexByte(rest, '\n')
		n, _ := strconv.Atoi(string(rest[1 : end-1]))
		rest = rest[end+1:]
		switch kind {
		case '$', '=':
			rest = rest[n+2:] // machines write nulls as _
		case '*', '~':
			open += n
		case '%', '^':
			open += 2 * n
		}
	}
	return replies[:len(replies)-len(rest)], rest
}

// Items takes an array from a machine apart.
func Items(reply []byte) [][]byte {
	n, rest := cutHeader(reply)
	items := make([][]byte, n)
	for i := range items {
		items[i], rest = CutReply(rest)
	}
	return items
}

// MatchGlob reports whether s matches a pattern of Redis: * ? [a-z] [^a] and \x.
// Its work is bounded by len(pattern) * len(s).
func MatchGlob(pattern, s []byte) bool { return matchGlob(pattern, s) }

// KeysInSlot returns keys of a slot, at most limit, with a read of their group
// alone. It empties the run.
func (s *Session) KeysInSlot(ctx context.Context, slot flotilla.Slot, limit int) (keys [][]byte, err error) {
	defer s.Reset()
	cursor := uint64(slot) << 32
	for len(keys) < limit {
		s.Reset()
		s.isRead = true
		args := [][]byte{[]byte("scan"), strconv.AppendUint(nil, cursor, 10), []byte("COUNT"), []byte("1000")}
		if err := s.addTo(s.host.Topology(), slot, args); err != nil {
			return nil, err
		}
		s.Do(ctx)
		reply, err := s.Reply(0)
		if err != nil || reply[0] == '-' {
			return keys, err
		}
		_, items := cutHeader(reply)
		head, page := CutReply(items)
		_, digits := cutHeader(head)
		cursor, _ = parseUint(bytes.TrimSuffix(digits, []byte("\r\n")))
		keys = appendKeysOf(keys, page, slot, limit)
		if cursor == 0 || flotilla.Slot(cursor>>32) != slot {
			break
		}
	}
	return keys, nil
}

// appendKeysOf appends those of an array's keys that have the slot.
func appendKeysOf(keys [][]byte, page []byte, slot flotilla.Slot, limit int) [][]byte {
	n, items := cutHeader(page)
	for range n {
		var item []byte
		item, items = CutReply(items)
		_, key := cutHeader(item)
		key = bytes.TrimSuffix(key, []byte("\r\n"))
		if flotilla.SlotOf(key) == slot && len(keys) < limit {
			keys = append(keys, bytes.Clone(key))
		}
	}
	return keys
}
