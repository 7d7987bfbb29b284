package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tailMark is the side file that says how far the log was synced. Pebble can not
// tell a last block that rotted away from one that was never written; this can.
//
//	slot 0                              slot 1 (at 512: another sector)
//	sequence:8 chain:4 pad:4 crc:4      the same; writes alternate
//
// It is written after each sync, without one of its own: after a power cut it may
// be old, which is harmless, but never ahead of the log. A slot that was torn does
// not pass its checksum, and the other one counts.
type tailMark struct {
	file vfs.File
	slot int
	buf  [tailSlotBytes]byte
}

const (
	tailSlotBytes    = 20
	tailSlotDistance = 512
)

// openTail opens or makes the file and returns the newest mark that it holds.
func openTail(files vfs.FS, name string) (t *tailMark, sequence uint64, chain uint32, err error) {
	if err := touch(files, name); err != nil {
		return nil, 0, 0, err
	}
	file, err := files.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, 0, 0, err
	}
	t = &tailMark{file: file}
	for slot := range 2 {
		s, c, ok, err := t.read(slot)
		if err != nil {
			return nil, 0, 0, errors.Join(err, file.Close())
		}
		if ok && s > sequence {
			sequence, chain = s, c
			t.slot = 1 - slot
		}
	}
	return t, sequence, chain, nil
}

func touch(files vfs.FS, name string) error {
	_, err := files.Stat(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return syncDir(files, files.PathDir(name))
}

func (t *tailMark) read(slot int) (sequence uint64, chain uint32, ok bool, err error) {
	n, err := t.file.ReadAt(t.buf[:], int64(slot*tailSlotDistance))
	if n < tailSlotBytes {
		if err == nil || errors.Is(err, io.EOF) {
			return 0, 0, false, nil
		}
		return 0, 0, false, fmt.Errorf("read the tail mark: %w", err)
	}
	if checksum(nil, t.buf[:16]) != binary.LittleEndian.Uint32(t.buf[16:]) {
		return 0, 0, false, nil
	}
	return binary.LittleEndian.Uint64(t.buf[:]), binary.LittleEndian.Uint32(t.buf[8:]), true, nil
}

func (t *tailMark) write(sequence uint64, chain uint32) error {
	binary.LittleEndian.PutUint64(t.buf[:], sequence)
	binary.LittleEndian.PutUint32(t.buf[8:], chain)
	binary.LittleEndian.PutUint32(t.buf[12:], 0)
	binary.LittleEndian.PutUint32(t.buf[16:], checksum(nil, t.buf[:16]))
	_, err := t.file.WriteAt(t.buf[:], int64(t.slot*tailSlotDistance))
	t.slot = 1 - t.slot
	return err
}

func (t *tailMark) close() error { return t.file.Close() }
