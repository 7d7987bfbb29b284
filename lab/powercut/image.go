package powercut

import (
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// rootID is what the kernel calls the root of a file system.
const rootID = 1

// image is all files and folders: as programs see them, and as they are on disk.
// FS.mu guards it.
type image struct {
	backing string
	root    *node
	nodes   map[uint64]*node // all that the kernel, a name or a pending change knows
	nextID  uint64           // ids are never used twice, so what the kernel cached before a cut is not found after it
	pending []nameChange     // in the order in which they were made
	dirty   map[*node]bool   // files with pending changes
	bytes   int64            // what those take in memory
}

// node is a file, a folder or a symbolic link.
type node struct {
	id       uint64
	mode     uint32 // with the kind, as in stat
	uid, gid uint32
	modified time.Time
	changed  time.Time

	content *content         // of a file
	target  string           // of a symbolic link
	live    map[string]*node // of a folder
	durable map[string]*node // of a folder, as of its last sync

	links   int    // live names
	holds   int    // durable names, and pending changes that mention it
	lookups uint64 // of the kernel
}

func (n *node) isFolder() bool { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }

// nameChange is a change of names that becomes durable as a whole: one name, or both
// of a rename.
type nameChange []nameSet

type nameSet struct {
	folder *node
	name   string
	node   *node // nil: the name is gone
}

func newImage(backing string, now time.Time) *image {
	i := &image{backing: backing, nodes: map[uint64]*node{}, nextID: rootID, dirty: map[*node]bool{}}
	i.root = i.newNode(attributes{mode: syscall.S_IFDIR | 0o755, now: now})
	i.root.links = 1
	return i
}

// attributes are what a new node begins with.
type attributes struct {
	mode, uid, gid uint32
	target         string
	now            time.Time
}

func (i *image) newNode(a attributes) *node {
	n := &node{id: i.nextID, mode: a.mode, uid: a.uid, gid: a.gid, modified: a.now, changed: a.now, target: a.target}
	i.nextID++
	i.nodes[n.id] = n
	switch n.mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		n.live, n.durable = map[string]*node{}, map[string]*node{}
	case syscall.S_IFREG:
		n.content = &content{path: filepath.Join(i.backing, strconv.FormatUint(n.id, 10))}
	}
	return n
}

// listing is what was in a folder when somebody began to read it.
type listing []listed

type listed struct {
	name string
	id   uint64
	mode uint32
}

func (n *node) list() listing {
	all := listing{{".", n.id, syscall.S_IFDIR}, {"..", 0, syscall.S_IFDIR}}
	for _, name := range slices.Sorted(maps.Keys(n.live)) {
		child := n.live[name]
		all = append(all, listed{name, child.id, child.mode})
	}
	return all
}

// create makes a file, a folder or a symbolic link under a name that is free.
func (i *image) create(folder *node, name string, a attributes) (*node, error) {
	if err := i.isFree(folder, name); err != nil {
		return nil, err
	}
	n := i.newNode(a)
	return n, i.change(a.now, nameSet{folder, name, n})
}

// isFree returns why a folder can not take a new name.
func (i *image) isFree(folder *node, name string) error {
	switch {
	case !folder.isFolder():
		return syscall.ENOTDIR
	case folder.links == 0:
		return syscall.ENOENT // it was removed
	case folder.live[name] != nil:
		return syscall.EEXIST
	}
	return nil
}

// link gives a file one more name.
func (i *image) link(n, folder *node, name string, now time.Time) error {
	if n.isFolder() {
		return syscall.EPERM
	}
	if err := i.isFree(folder, name); err != nil {
		return err
	}
	return i.change(now, nameSet{folder, name, n})
}

// remove takes a name away: that of an empty folder if wantFolder, else of anything else.
func (i *image) remove(folder *node, name string, wantFolder bool, now time.Time) error {
	n := folder.live[name]
	if n == nil {
		return syscall.ENOENT
	}
	if err := isReplaceable(n, wantFolder); err != nil {
		return err
	}
	return i.change(now, nameSet{folder, name, nil})
}

func isReplaceable(n *node, wantFolder bool) error {
	switch {
	case wantFolder && !n.isFolder():
		return syscall.ENOTDIR
	case !wantFolder && n.isFolder():
		return syscall.EISDIR
	case len(n.live) > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}

// rename gives a node another name; what had that name loses it in the same change.
// The kernel has checked that no folder comes to lie in itself.
func (i *image) rename(from *node, oldName string, to *node, newName string, noReplace bool, now time.Time) error {
	n := from.live[oldName]
	if n == nil {
		return syscall.ENOENT
	}
	switch err := i.isFree(to, newName); {
	case errors.Is(err, syscall.EEXIST) && !noReplace:
		replaced := to.live[newName]
		if replaced == n {
			return nil // two names of one file: POSIX has both stay
		}
		if err := isReplaceable(replaced, n.isFolder()); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	return i.change(now, nameSet{from, oldName, nil}, nameSet{to, newName, n})
}

// change changes names for programs, and notes that this is not durable.
func (i *image) change(now time.Time, sets ...nameSet) error {
	var errs []error
	for _, s := range sets {
		s.folder.holds++
		if s.node != nil {
			s.node.holds++
			s.node.links++
			s.node.changed = now
		}
	}
	i.pending = append(i.pending, sets)
	for _, s := range sets {
		was := s.folder.live[s.name]
		setName(s.folder.live, s.name, s.node)
		s.folder.modified, s.folder.changed = now, now
		if was != nil {
			was.links--
			was.changed = now
			errs = append(errs, i.release(was))
		}
	}
	return errors.Join(errs...)
}

func setName(names map[string]*node, name string, n *node) {
	if n == nil {
		delete(names, name)
		return
	}
	names[name] = n
}

// release frees a node that nothing knows any more.
func (i *image) release(n *node) error {
	if n.links > 0 || n.holds > 0 || n.lookups > 0 || n == i.root || i.nodes[n.id] != n {
		return nil
	}
	delete(i.nodes, n.id)
	i.clean(n)
	var errs []error
	for _, child := range n.durable {
		child.holds--
		errs = append(errs, i.release(child))
	}
	if n.content != nil {
		errs = append(errs, n.content.remove())
	}
	return errors.Join(errs...)
}

// write changes a file's bytes; it keeps data.
func (i *image) write(n *node, off int64, data []byte, now time.Time) {
	i.edit(n, now, func(c *content) { c.write(off, data) })
}

// resize cuts a file off, or has it grow by zeros.
func (i *image) resize(n *node, size int64, now time.Time) {
	i.edit(n, now, func(c *content) { c.resize(size) })
}

func (i *image) edit(n *node, now time.Time, make func(*content)) {
	before := n.content.pending
	make(n.content)
	i.bytes += n.content.pending - before
	if n.content.pending > 0 {
		i.dirty[n] = true
	}
	n.modified, n.changed = now, now
}

// syncFile makes a file's bytes and size durable.
func (i *image) syncFile(n *node) error {
	taken := n.content.pending
	if err := n.content.sync(); err != nil {
		return err
	}
	i.bytes -= taken
	delete(i.dirty, n)
	return nil
}

// clean forgets that a file has pending changes.
func (i *image) clean(n *node) {
	if i.dirty[n] {
		i.bytes -= n.content.pending
		delete(i.dirty, n)
	}
}

// dirtiest returns the file whose pending changes take the most memory.
func (i *image) dirtiest() *node {
	var most *node
	for n := range i.dirty {
		if most == nil || n.content.pending > most.content.pending {
			most = n
		}
	}
	return most
}

// syncFolder makes the names in a folder durable. As in a journal, a rename does not
// come alone: what was changed before in the other folder comes with it, and if a
// folder moved, all that was changed before. Otherwise two of them could end up in
// each other.
func (i *image) syncFolder(folder *node) error {
	folders, isAll := map[*node]bool{folder: true}, false
	isDue := make([]bool, len(i.pending))
	for at, change := range slices.Backward(i.pending) {
		isDue[at] = isAll || slices.ContainsFunc(change, func(s nameSet) bool { return folders[s.folder] })
		if !isDue[at] {
			continue
		}
		isAll = isAll || change.movesFolder()
		for _, s := range change {
			folders[s.folder] = true
		}
	}
	changes := i.pending
	i.pending = nil
	var errs []error
	for at, change := range changes {
		if isDue[at] {
			errs = append(errs, i.commit(change))
			continue
		}
		i.pending = append(i.pending, change)
	}
	return errors.Join(errs...)
}

// movesFolder reports whether the change is the rename of a folder into another one.
func (c nameChange) movesFolder() bool {
	return len(c) == 2 && c[0].folder != c[1].folder && c[1].node.isFolder()
}

// commit makes one change of names durable.
func (i *image) commit(change nameChange) error {
	var errs []error
	for _, s := range change {
		was := s.folder.durable[s.name]
		setName(s.folder.durable, s.name, s.node) // the change's hold on the node is the name's now
		if was != nil {
			was.holds--
			errs = append(errs, i.release(was))
		}
		s.folder.holds--
		errs = append(errs, i.release(s.folder))
	}
	return errors.Join(errs...)
}

// commitOldest makes the first changes of names durable, all folders' alike.
func (i *image) commitOldest(count int) error {
	changes := i.pending[:count]
	i.pending = slices.Clone(i.pending[count:])
	var errs []error
	for _, change := range changes {
		errs = append(errs, i.commit(change))
	}
	return errors.Join(errs...)
}

// cut makes the image what is on disk. With a seed, some of the first pending changes
// survive: of the names of all folders in their order, and of each file for itself.
func (i *image) cut(seed *uint64) (droppedBytes int64, droppedNames int, err error) {
	var errs []error
	if seed != nil {
		kept := rand.New(rand.NewPCG(*seed, 0)).IntN(len(i.pending) + 1)
		errs = append(errs, i.commitOldest(kept))
	}
	droppedNames = len(i.pending)
	for n := range i.dirty {
		var chance *rand.Rand
		if seed != nil {
			chance = rand.New(rand.NewPCG(*seed, n.id)) // of its own: the order of files does not matter
		}
		dropped, err := n.content.cut(chance)
		droppedBytes += dropped
		errs = append(errs, err)
	}
	errs = append(errs, i.restart())
	return droppedBytes, droppedNames, errors.Join(errs...)
}

// restart builds the tree anew from what is durable, under ids that the kernel never saw.
func (i *image) restart() error {
	old := i.nodes
	oldRoot := i.root
	i.nodes, i.pending, i.dirty = map[uint64]*node{}, nil, map[*node]bool{}
	i.bytes = 0
	kept := map[*node]*node{}
	i.root = i.revive(oldRoot, kept)
	i.root.links++
	var errs []error
	for _, n := range old {
		if kept[n] == nil && n.content != nil {
			errs = append(errs, n.content.remove())
		}
	}
	return errors.Join(errs...)
}

// revive copies a node and all durable names below it.
func (i *image) revive(old *node, kept map[*node]*node) *node {
	if n := kept[old]; n != nil {
		return n // another name of the same file
	}
	n := *old
	n.links, n.holds, n.lookups = 0, 0, 0
	if n.id != rootID {
		n.id = i.nextID
		i.nextID++
	}
	kept[old] = &n
	i.nodes[n.id] = &n
	if !n.isFolder() {
		return &n
	}
	n.live, n.durable = map[string]*node{}, map[string]*node{}
	for _, name := range slices.Sorted(maps.Keys(old.durable)) { // the same ids each time
		c := i.revive(old.durable[name], kept)
		c.links++
		c.holds++
		n.live[name], n.durable[name] = c, c
	}
	return &n
}

// close releases the backing folder's files.
func (i *image) close() error {
	var errs []error
	for _, n := range i.nodes {
		if n.content != nil {
			errs = append(errs, n.content.remove())
		}
	}
	return errors.Join(errs...)
}
