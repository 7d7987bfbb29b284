// Package powercut is a file system that forgets, when its power is cut, whatever no
// fsync covered. kill -9 leaves what the kernel has cached, so it can not show that an
// fsync is missing; this can.
//
// Read in this order: FS (fs.go: mount, cut, restore), Faults (faults.go: a disk that is
// slow or full, and a cut that a process asks for itself), image (image.go: the names),
// content (content.go: the bytes of one file), and mount_linux.go, which speaks FUSE.
//
// The model is strict: what the standards do not promise is lost. It is that of LazyFS,
// with names treated as ALICE found them to be treated by the least careful file systems.
//
//   - Bytes and size of a file are durable as of its last fsync or fdatasync, or
//     as of a write with O_SYNC or O_DSYNC. Closing a file syncs nothing.
//   - A name is durable as of the last fsync of the folder that it is in: creating,
//     renaming, linking and removing alike. An fsync of the file does not cover its name.
//   - Each folder's names are durable for themselves, so a folder that was synced but
//     whose own name was not is lost with all that is in it. Only a rename from one
//     folder to another is one change: an fsync of either folder makes it durable, with
//     all that was changed in both before, as a journal would. If it moves a folder,
//     everything that was changed before becomes durable with it.
//   - Mode, owner and times are kept as they are.
//
// FS.Cut loses all that is pending. FS.CutTorn chooses from a seed what survives: a
// prefix of the pending changes of names, and, for each file by itself, a prefix of
// its pending writes, with the next write torn at a sector's boundary. Other disks may
// write later writes before earlier ones; that is not modelled.
//
// What is durable lies in the backing folder, one file for each file; names and all
// that is pending are in memory. Options.PendingBytes bounds it: above, the file with
// the most pending bytes is written back, and the oldest half of the names above
// maxPendingNames, as a kernel short of memory would. Stats counts both as early: a
// test whose Stats.EarlyBytes is not zero has been kinder than it meant to be.
//
// It refuses to continue an earlier image (the backing folder must be empty, and is
// empty after Unmount), hole punching, extended attributes, O_TMPFILE, device files and
// sockets. It does not see sync(2) and syncfs(2), which therefore make nothing durable.
// Locks are the kernel's. Hard links, symbolic links, mmap and fallocate work.
//
// Do not start processes whose working directory or program is on it from the process
// that serves it: Go's fork may wait for the file system while it keeps the file system
// from answering. For the same reason do not map its files into that process's memory, and
// better do not use them there at all: a serving process that is killed while it waits
// for an answer of its own stays a zombie until somebody writes 1 to the "abort" of its
// connection in the fusectl file system (/sys/fs/fuse/connections).
package powercut
