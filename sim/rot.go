package sim

import (
	"cmp"
	"errors"
	"io"
	"path"
	"slices"

	"flotilla/scenario"
	"flotilla/storage/wal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// damage changes a node's files, whether it runs or not, and reports whether it did. Only
// Pebble's drives have any.
func (w *world) damage(n *node, s scenario.Step) bool {
	d, ok := n.drive.(*pebbleDrive)
	if !ok {
		return false
	}
	if d.hasLost && n.core == nil {
		w.count("no damage after a power cut")
		return false
	}
	if other, ok := s.File.Witness(); ok && slices.Contains(d.rotten, other) {
		w.count("no damage to a log and its tail mark")
		return false
	}
	err := d.rot(s, w)
	switch {
	case err == nil:
		d.rotten, d.wasRotten = append(d.rotten, s.File), true
		w.count(string(s.Verb) + " in the " + string(s.File))
	case errors.Is(err, errNoFile):
		w.tell("%v: %v", n.id, err)
	default:
		w.fault("%v: can not damage its %s: %v", n.id, s.File, err)
	}
	return err == nil
}

// errNoFile says that there is nothing to damage.
var errNoFile = errors.New("there is no such file")

// rot flips bits of a file, or clears its end.
func (d *pebbleDrive) rot(s scenario.Step, w *world) error {
	if d.disk != nil {
		d.disk.Settle()
	}
	name, err := d.newest(s.File)
	if err != nil {
		return err
	}
	return edit(d.fs, name, func(content []byte) {
		if s.Verb == scenario.Clear {
			end := len(content)
			for end > 0 && content[end-1] == 0 {
				end-- // made ready, and not written yet
			}
			clear(content[max(0, end-s.Bytes):end])
			return
		}
		for range s.Bits {
			bit := w.trouble.IntN(8 * len(content))
			content[bit/8] ^= 1 << (bit % 8)
		}
	})
}

// newest returns the file of a kind with the highest number.
func (d *pebbleDrive) newest(kind scenario.File) (string, error) {
	dir := d.fs.PathJoin(driveDir, path.Dir(kind.Path()))
	names, err := d.fs.List(dir)
	if err != nil {
		return "", errNoFile // nor a folder
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		isMeant, err := path.Match(path.Base(kind.Path()), name)
		return err != nil || !isMeant
	})
	if len(names) == 0 {
		return "", errNoFile
	}
	longer := func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
	return d.fs.PathJoin(dir, slices.MaxFunc(names, longer)), nil
}

// used returns the part of a file that is ever read.
func used(fs vfs.FS, name string, content []byte) []byte {
	if end, err := wal.End(fs, name); err == nil && end > 0 {
		return content[:end]
	}
	return content
}

// edit changes bytes of a file in place, durably: a node that runs has it open.
func edit(fs vfs.FS, name string, change func([]byte)) error {
	file, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(file)
	if err != nil || len(content) == 0 {
		return errors.Join(cmp.Or(err, errNoFile), file.Close())
	}
	change(used(fs, name, content))
	_, err = file.WriteAt(content, 0)
	return errors.Join(err, file.Sync(), file.Close())
}
