package powercut

import (
	"bytes"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// useFile is use with a node that must be a file.
func (k *kernel) useFile(id uint64, operation func(n *node) error) error {
	return k.use(id, func(n *node) error {
		if n.content == nil {
			return syscall.EISDIR
		}
		return operation(n)
	})
}

// opened is how files are opened. What the kernel has cached stays right, so it may keep
// it. Closing means nothing, so it need not be told: it would wait for the answer, for
// ever if it is our own process that ends with a file of ours open.
const opened = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH

// Open opens a file. There is nothing to remember: what is read and written later
// says which node it is.
func (k *kernel) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	out.OpenFlags = opened
	return status(k.useFile(in.NodeId, func(*node) error { return nil }))
}

// Read reads from a file.
func (k *kernel) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	n := 0
	err := k.useFile(in.NodeId, func(file *node) (err error) {
		n, err = file.content.readAt(buf[:min(len(buf), int(in.Size))], int64(in.Offset))
		return err
	})
	return fuse.ReadResultData(buf[:n]), status(err)
}

// Write writes to a file.
func (k *kernel) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	kept := bytes.Clone(data) // the request's memory is used again
	if in.Flags&syscall.O_DSYNC != 0 {
		k.lag()
	}
	err := k.useFile(in.NodeId, func(file *node) error {
		if !k.fits(file, int64(in.Offset)+int64(len(kept))) {
			return syscall.ENOSPC
		}
		k.image.write(file, int64(in.Offset), kept, time.Now())
		// O_SYNC has this bit, too. Linux 6.18 sends an fsync after such a write, which
		// then finds nothing to do; the protocol does not promise one.
		if in.Flags&syscall.O_DSYNC != 0 {
			return k.syncFile(file)
		}
		return k.relieve()
	})
	if err != nil {
		return 0, status(err)
	}
	return uint32(len(data)), fuse.OK
}

// Fsync makes a file durable. fdatasync does the same here: the bytes and the size.
func (k *kernel) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	k.lag()
	return status(k.useFile(in.NodeId, k.syncFile))
}

// Fallocate reserves room, which costs nothing here, and may grow the file. Punching
// holes is refused, as some file systems do.
func (k *kernel) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if in.Mode&^unix.FALLOC_FL_KEEP_SIZE != 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	return status(k.useFile(in.NodeId, func(file *node) error {
		end := int64(in.Offset + in.Length)
		if !k.fits(file, end) {
			return syscall.ENOSPC
		}
		if in.Mode == 0 && end > file.content.size {
			k.image.resize(file, end, time.Now())
		}
		return k.relieve()
	}))
}

// OpenDir opens a folder. Its number is never used twice, so that a folder that was
// open in a cut stays broken, the root as well.
func (k *kernel) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return status(k.use(in.NodeId, func(n *node) error {
		if !n.isFolder() {
			return syscall.ENOTDIR
		}
		k.nextOpen++
		k.listings[k.nextOpen] = nil
		out.Fh = k.nextOpen
		return nil
	}))
}

// ReadDir lists a folder: as it was when that was begun, from its first name on.
func (k *kernel) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return status(k.useFolder(in.NodeId, in.Fh, func(n *node) error {
		if in.Offset == 0 {
			k.listings[in.Fh] = n.list()
		}
		all := k.listings[in.Fh]
		for at := min(in.Offset, uint64(len(all))); at < uint64(len(all)); at++ {
			entry := all[at]
			if !out.AddDirEntry(fuse.DirEntry{Name: entry.name, Ino: entry.id, Mode: entry.mode, Off: at + 1}) {
				break
			}
		}
		return nil
	}))
}

// useFolder is use with a folder that is open.
func (k *kernel) useFolder(id, open uint64, operation func(n *node) error) error {
	return k.use(id, func(n *node) error {
		if _, isOpen := k.listings[open]; !isOpen {
			return syscall.EIO // a cut closed it
		}
		return operation(n)
	})
}

// ReleaseDir closes a folder.
func (k *kernel) ReleaseDir(in *fuse.ReleaseIn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.listings, in.Fh)
}

// FsyncDir makes the names in a folder durable.
func (k *kernel) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return status(k.useFolder(in.NodeId, in.Fh, func(folder *node) error {
		k.stats.FolderSyncs++
		return k.image.syncFolder(folder)
	}))
}

// StatFs says how much room the backing folder's file system has.
func (k *kernel) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	var s syscall.Statfs_t
	if err := syscall.Statfs(k.backing, &s); err != nil {
		return status(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if room := k.room(); room >= 0 {
		blocks := uint64(room) / uint64(max(s.Bsize, 1))
		s.Bfree, s.Bavail = min(s.Bfree, blocks), min(s.Bavail, blocks)
	}
	*out = fuse.StatfsOut{Blocks: s.Blocks, Bfree: s.Bfree, Bavail: s.Bavail, Files: s.Files, Ffree: s.Ffree,
		Bsize: uint32(s.Bsize), Frsize: uint32(s.Frsize), NameLen: 255}
	return fuse.OK
}
