package powercut

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// forever is how long the kernel may believe what it was told of a node: all that
// changes it goes through the kernel. Names it asks for each time, because that is where
// it notices that there was a cut: what has the name then has another id. (Asking for
// names in the root only is not enough: a rename takes a name's time with it.)
const forever = uint64(time.Hour / time.Second)

// largestWrite is the largest that FUSE has.
const largestWrite = 1 << 20

// kernel answers the kernel's requests: raw FUSE, since the ids of nodes are what a
// cut is made of. Each method is one operation on the image, in FS.use.
type kernel struct {
	fuse.RawFileSystem // says ENOSYS to what is not below
	*FS
}

// serve mounts the file system and answers until it is unmounted.
func serve(f *FS) (end func() error, err error) {
	if err := isAvailable(); err != nil {
		return nil, err
	}
	server, err := fuse.NewServer(&kernel{fuse.NewDefaultRawFileSystem(), f}, f.dir, &fuse.MountOptions{
		FsName: "powercut", Name: "powercut", MaxWrite: largestWrite, DisableXAttrs: true,
		DisableReadDirPlus: true, ExplicitDataCacheControl: true, DirectMountStrict: os.Geteuid() == 0,
	})
	if errors.Is(err, syscall.EPERM) || err != nil && os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { // until the kernel lets go of the file system
		server.Serve()
		close(ended)
	}()
	if err := server.WaitMount(); err != nil {
		return nil, errors.Join(err, unix.Unmount(f.dir, unix.MNT_DETACH))
	}
	return func() error {
		if err := unmount(server); err != nil {
			return errors.Join(err, unix.Unmount(f.dir, unix.MNT_DETACH))
		}
		<-ended
		return nil
	}, nil
}

// unmountWait is how long something may still use the file system: a process that
// was just started from this one has, for a moment, all its files open.
const unmountWait = 5 * time.Second

func unmount(server *fuse.Server) error {
	for deadline := time.Now().Add(unmountWait); ; <-time.After(50 * time.Millisecond) {
		err := server.Unmount()
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// isAvailable says what is missing on this machine, if anything.
func isAvailable() error {
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return device.Close()
}

// String is how go-fuse calls it.
func (*kernel) String() string { return "powercut" }

// Lookup finds a name.
func (k *kernel) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if name == Trigger && in.NodeId == rootID && k.pull() {
		return fuse.EIO
	}
	return status(k.use(in.NodeId, func(folder *node) error {
		n := folder.live[name]
		if n == nil {
			return syscall.ENOENT
		}
		answer(n, out)
		return nil
	}))
}

// answer tells the kernel of a node, which it will say to have forgotten one day.
func answer(n *node, out *fuse.EntryOut) {
	n.lookups++
	out.NodeId = n.id
	out.AttrValid = forever
	describe(n, &out.Attr)
}

func describe(n *node, a *fuse.Attr) {
	*a = fuse.Attr{Ino: n.id, Mode: n.mode, Nlink: uint32(n.links), Blksize: 4096,
		Owner: fuse.Owner{Uid: n.uid, Gid: n.gid}, Size: uint64(len(n.target))}
	if n.content != nil {
		a.Size = uint64(n.content.size)
		a.Blocks = (a.Size + 511) / 512
	}
	a.SetTimes(&n.modified, &n.modified, &n.changed)
}

// Forget says that the kernel forgot so many answers.
func (k *kernel) Forget(id, lookups uint64) {
	_ = k.use(id, func(n *node) error { // from before a cut: it was forgotten long ago
		n.lookups -= min(lookups, n.lookups)
		return k.image.release(n)
	})
}

// GetAttr describes a node.
func (k *kernel) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return status(k.use(in.NodeId, func(n *node) error {
		describeAgain(n, out)
		return nil
	}))
}

func describeAgain(n *node, out *fuse.AttrOut) {
	if n.id != rootID {
		out.AttrValid = forever
	}
	describe(n, &out.Attr)
}

// SetAttr changes the size, and what else stat shows.
func (k *kernel) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return status(k.use(in.NodeId, func(n *node) error {
		if size, ok := in.GetSize(); ok {
			if n.content == nil {
				return syscall.EISDIR
			}
			if !k.fits(n, int64(size)) {
				return syscall.ENOSPC
			}
			k.image.resize(n, int64(size), time.Now())
		}
		if mode, ok := in.GetMode(); ok {
			n.mode = n.mode&syscall.S_IFMT | mode
		}
		if uid, ok := in.GetUID(); ok {
			n.uid = uid
		}
		if gid, ok := in.GetGID(); ok {
			n.gid = gid
		}
		n.changed = time.Now()
		if at, ok := in.GetMTime(); ok {
			n.modified = at
		}
		describeAgain(n, out)
		return k.relieve()
	}))
}

// make answers requests for new nodes.
func (k *kernel) make(in *fuse.InHeader, name string, mode uint32, target string, out *fuse.EntryOut) fuse.Status {
	return status(k.use(in.NodeId, func(folder *node) error {
		n, err := k.image.create(folder, name, attributes{mode: mode, uid: in.Uid, gid: in.Gid, target: target, now: time.Now()})
		if err != nil {
			return err
		}
		answer(n, out)
		return k.relieve()
	}))
}

// Mkdir makes a folder.
func (k *kernel) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return k.make(&in.InHeader, name, syscall.S_IFDIR|in.Mode&0o7777, "", out)
}

// Mknod makes a file. Devices and sockets are refused.
func (k *kernel) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	if in.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return fuse.EPERM
	}
	return k.make(&in.InHeader, name, in.Mode, "", out)
}

// Symlink makes a symbolic link.
func (k *kernel) Symlink(_ <-chan struct{}, in *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	return k.make(in, name, syscall.S_IFLNK|0o777, target, out)
}

// Readlink says where a symbolic link leads.
func (k *kernel) Readlink(_ <-chan struct{}, in *fuse.InHeader) (target []byte, _ fuse.Status) {
	err := k.use(in.NodeId, func(n *node) error {
		target = []byte(n.target)
		return nil
	})
	return target, status(err)
}

// Create makes a file and opens it.
func (k *kernel) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	out.OpenFlags = opened
	return k.make(&in.InHeader, name, syscall.S_IFREG|in.Mode&0o7777, "", &out.EntryOut)
}

// Link gives a file one more name.
func (k *kernel) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	return status(k.useTwo(in.NodeId, in.Oldnodeid, func(folder, n *node) error {
		if err := k.image.link(n, folder, name, time.Now()); err != nil {
			return err
		}
		answer(n, out)
		return k.relieve()
	}))
}

// Unlink takes a file's name away.
func (k *kernel) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return k.remove(in.NodeId, name, false)
}

// Rmdir removes an empty folder.
func (k *kernel) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return k.remove(in.NodeId, name, true)
}

func (k *kernel) remove(id uint64, name string, wantFolder bool) fuse.Status {
	return status(k.use(id, func(folder *node) error {
		return errors.Join(k.image.remove(folder, name, wantFolder, time.Now()), k.relieve())
	}))
}

// Rename gives a file or a folder another name. Exchanging two is refused.
func (k *kernel) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	if in.Flags&^unix.RENAME_NOREPLACE != 0 {
		return fuse.EINVAL
	}
	return status(k.useTwo(in.NodeId, in.Newdir, func(from, to *node) error {
		isFixed := in.Flags&unix.RENAME_NOREPLACE != 0
		return errors.Join(k.image.rename(from, oldName, to, newName, isFixed, time.Now()), k.relieve())
	}))
}

// status turns the errors of operations into what the kernel understands.
func status(err error) fuse.Status {
	var code syscall.Errno
	switch {
	case err == nil:
		return fuse.OK
	case errors.As(err, &code):
		return fuse.Status(code) // of the backing folder, too: it may be full
	default:
		return fuse.EIO
	}
}
