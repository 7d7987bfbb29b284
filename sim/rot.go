package sim

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// rot damages a file of a node, which is down for it. Only Pebble's drives have any.
func (w *world) rot(n *node, file string) {
	d, ok := n.drive.(*pebbleDrive)
	if !ok {
		return
	}
	w.lose(n, func() {
		err := d.rot(file, w.trouble.Uint64())
		d.isRotten = true
		if err == nil {
			w.count("rot in the " + file)
		} else if !errors.Is(err, errNoFile) {
			w.fault("%v: can not damage its %s: %v", n.id, file, err)
		}
	})
}

// errNoFile says that there is nothing to damage.
var errNoFile = errors.New("there is no such file")

// rot flips a bit of a file, or clears the end of the newest WAL.
func (d *pebbleDrive) rot(file string, chance uint64) error {
	folder, ending := "log", ".log"
	switch file {
	case "sst":
		folder, ending = "state", ".sst"
	case "manifest":
		ending = ""
	}
	dir := d.fs.PathJoin(driveDir, folder)
	names, err := d.fs.List(dir)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return ending == "" && !strings.HasPrefix(name, "MANIFEST") || !strings.HasSuffix(name, ending)
	})
	if len(names) == 0 {
		return errNoFile
	}
	slices.Sort(names)
	name := d.fs.PathJoin(dir, names[chance%uint64(len(names))])
	if file == "tail of the wal" {
		return clearTail(d.fs, d.fs.PathJoin(dir, names[len(names)-1]))
	}
	return flipBit(d.fs, name, chance)
}

func flipBit(fs vfs.FS, name string, chance uint64) error {
	return edit(fs, name, func(content []byte) []byte {
		at := int(chance / 8 % uint64(len(content)))
		content[at] ^= 1 << (chance % 8)
		return content
	})
}

// clearTail makes zeros of the last bytes that were written, as a lost sector would.
func clearTail(fs vfs.FS, name string) error {
	return edit(fs, name, func(content []byte) []byte {
		end := len(content)
		for end > 0 && content[end-1] == 0 {
			end--
		}
		clear(content[max(0, end-64):])
		return content
	})
}

// edit replaces a file's content, durably.
func edit(fs vfs.FS, name string, change func([]byte) []byte) error {
	file, err := fs.Open(name)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if len(content) == 0 {
		return errNoFile
	}
	written, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = written.Write(change(content))
	return errors.Join(err, written.Sync(), written.Close())
}
