package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
)

// sectorBytes is what a disk writes as a whole: a torn write ends at a multiple of it.
const sectorBytes = 512

// changeOverhead is what a pending change counts for beside its bytes.
const changeOverhead = 128

// content is the bytes of one file. FS.mu guards it.
//
//	durable   0 ─────────────── base ───────── durableSize      in the backing folder
//	live      0 ─────────────── base ─ zeros ─────────── size   where no extent lies over it
//	extents          ▓▓▓▓           ▓▓▓▓▓         ▓▓▓▓▓▓        in memory
//
// Nothing was cut off if base equals durableSize.
type content struct {
	path        string   // in the backing folder
	file        *os.File // nil until the first byte is durable
	durableSize int64

	size    int64
	base    int64
	extents []extent // in order of offset, none empty, none over another
	changes []change // since the last sync, in the order in which they were made
	pending int64    // what the changes take in memory
}

// extent is a run of bytes that was written and is not durable.
type extent struct {
	off  int64
	data []byte // shared with a change, never written to
}

func (e extent) end() int64 { return e.off + int64(len(e.data)) }

// change is one write, or a change of the size.
type change struct {
	off      int64 // or the new size
	data     []byte
	isResize bool
}

// write changes bytes, and grows the file if need be. It keeps data.
func (c *content) write(off int64, data []byte) {
	if len(data) == 0 {
		return
	}
	end := off + int64(len(data))
	c.clear(off, end)
	at := sort.Search(len(c.extents), func(i int) bool { return c.extents[i].off >= end })
	c.extents = slices.Insert(c.extents, at, extent{off, data})
	c.size = max(c.size, end)
	c.note(change{off: off, data: data})
}

// resize cuts the file off, or has it grow by zeros.
func (c *content) resize(size int64) {
	if size < c.size {
		c.clear(size, c.size)
		c.base = min(c.base, size)
	}
	c.size = size
	c.note(change{off: size, isResize: true})
}

func (c *content) note(made change) {
	c.changes = append(c.changes, made)
	c.pending += changeOverhead + int64(len(made.data))
}

// clear takes a range out of the extents.
func (c *content) clear(from, to int64) {
	first := sort.Search(len(c.extents), func(i int) bool { return c.extents[i].end() > from })
	behind := first
	for behind < len(c.extents) && c.extents[behind].off < to {
		behind++
	}
	if first == behind {
		return
	}
	var rest []extent // what sticks out on both sides
	if e := c.extents[first]; e.off < from {
		rest = append(rest, extent{e.off, e.data[:from-e.off]})
	}
	if e := c.extents[behind-1]; e.end() > to {
		rest = append(rest, extent{to, e.data[to-e.off:]})
	}
	c.extents = slices.Replace(c.extents, first, behind, rest...)
}

// readAt reads what programs see. It returns fewer bytes than asked for at the end only.
func (c *content) readAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, nil
	}
	p = p[:min(int64(len(p)), c.size-off)]
	end := off + int64(len(p))
	clear(p)
	if durable := min(end, c.base) - off; durable > 0 {
		if _, err := c.file.ReadAt(p[:durable], off); err != nil {
			return 0, fmt.Errorf("read the durable image: %w", err)
		}
	}
	first := sort.Search(len(c.extents), func(i int) bool { return c.extents[i].end() > off })
	for _, e := range c.extents[first:] {
		if e.off >= end {
			break
		}
		skip := max(off-e.off, 0)
		copy(p[e.off+skip-off:], e.data[skip:])
	}
	return len(p), nil
}

// sync makes durable what is seen.
func (c *content) sync() error {
	if len(c.changes) == 0 {
		return nil
	}
	if err := c.store(); err != nil {
		return fmt.Errorf("write the durable image: %w", err)
	}
	c.durableSize = c.size
	c.settle()
	return nil
}

// store writes the extents to the backing folder. There is no fsync: the machine's
// power stays on, only that of the file system's users is cut.
func (c *content) store() error {
	if c.file == nil {
		file, err := os.OpenFile(c.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		c.file = file
	}
	if c.base < c.durableSize {
		if err := c.file.Truncate(c.base); err != nil {
			return err
		}
		c.durableSize = c.base
	}
	end := c.durableSize
	for _, e := range c.extents {
		if _, err := c.file.WriteAt(e.data, e.off); err != nil {
			return err
		}
		end = max(end, e.end())
	}
	if end == c.size {
		return nil
	}
	return c.file.Truncate(c.size)
}

// settle forgets what was pending: the live file is the durable one again.
func (c *content) settle() {
	c.size, c.base = c.durableSize, c.durableSize
	c.extents, c.changes, c.pending = nil, nil, 0
}

// cut takes back what is not durable, and says how many bytes that were, without the
// zeros that a log is filled with ahead. With
// chance, some of the first changes survive, and a part of the next.
func (c *content) cut(chance *rand.Rand) (dropped int64, err error) {
	changes := c.changes
	for _, made := range changes {
		dropped += weight(made.data)
	}
	c.settle()
	if chance == nil || len(changes) == 0 {
		return dropped, nil
	}
	kept := chance.IntN(len(changes) + 1)
	for _, made := range changes[:kept] {
		c.redo(made)
		dropped -= weight(made.data)
	}
	if kept < len(changes) {
		torn := tear(changes[kept], chance)
		c.redo(torn)
		dropped -= weight(torn.data)
	}
	return dropped, c.sync()
}

// weight is how many bytes of a write somebody can miss.
func weight(data []byte) int64 { return int64(len(bytes.TrimRight(data, "\x00"))) }

func (c *content) redo(made change) {
	if made.isResize {
		c.resize(made.off)
		return
	}
	c.write(made.off, made.data)
}

// tear returns the part of a write that reached the disk: up to a sector's
// boundary. A change of the size is not made in part: nothing is left of it.
func tear(made change, chance *rand.Rand) change {
	if made.isResize {
		return change{}
	}
	end := made.off + int64(len(made.data))
	first := made.off / sectorBytes
	sectors := (end+sectorBytes-1)/sectorBytes - first
	keptTo := min((first+chance.Int64N(sectors+1))*sectorBytes, end)
	return change{off: made.off, data: made.data[:max(keptTo-made.off, 0)]}
}

// remove deletes what the backing folder has of the file.
func (c *content) remove() error {
	if c.file == nil {
		return nil
	}
	err := errors.Join(c.file.Close(), os.Remove(c.path))
	c.file = nil
	return err
}
