package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sideFile keeps one number outside of the stores, with a check, that only grows: a store
// whose end rotted away looks like one that ended earlier, and this tells them apart.
//
//	slot 0                              slot 1 (at 512: another sector)
//	number:8 check:4 pad:4 crc:4        the same; writes alternate
//
// There are two. Neither is ever ahead of its store; after a power cut the first may be old,
// which is harmless. A slot that was torn does not pass its checksum, and the other one counts.
//
//	tail     the log's last record that was synced, and its chain: written after
//	         each sync, without one of its own
//	flushes  how often the states were flushed: synced after each flush
type sideFile struct {
	file vfs.File
	slot int
	buf  [sideSlotBytes]byte
}

const (
	sideSlotBytes    = 20
	sideSlotDistance = 512
)

// openSideFile opens or makes the file and returns the newest number that it holds.
func openSideFile(files vfs.FS, name string) (f *sideFile, number uint64, check uint32, err error) {
	if err := touch(files, name); err != nil {
		return nil, 0, 0, err
	}
	file, err := files.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, 0, 0, err
	}
	f = &sideFile{file: file}
	for slot := range 2 {
		n, c, ok, err := f.read(slot)
		if err != nil {
			return nil, 0, 0, errors.Join(err, file.Close())
		}
		if ok && n > number {
			number, check = n, c
			f.slot = 1 - slot
		}
	}
	return f, number, check, nil
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

func (f *sideFile) read(slot int) (number uint64, check uint32, ok bool, err error) {
	n, err := f.file.ReadAt(f.buf[:], int64(slot*sideSlotDistance))
	if n < sideSlotBytes {
		if err == nil || errors.Is(err, io.EOF) {
			return 0, 0, false, nil
		}
		return 0, 0, false, fmt.Errorf("read a side file: %w", err)
	}
	if checksum(nil, f.buf[:16]) != binary.LittleEndian.Uint32(f.buf[16:]) {
		return 0, 0, false, nil
	}
	return binary.LittleEndian.Uint64(f.buf[:]), binary.LittleEndian.Uint32(f.buf[8:]), true, nil
}

func (f *sideFile) write(number uint64, check uint32) error {
	binary.LittleEndian.PutUint64(f.buf[:], number)
	binary.LittleEndian.PutUint32(f.buf[8:], check)
	binary.LittleEndian.PutUint32(f.buf[12:], 0)
	binary.LittleEndian.PutUint32(f.buf[16:], checksum(nil, f.buf[:16]))
	_, err := f.file.WriteAt(f.buf[:], int64(f.slot*sideSlotDistance))
	f.slot = 1 - f.slot
	return err
}

func (f *sideFile) close() error { return f.file.Close() }
