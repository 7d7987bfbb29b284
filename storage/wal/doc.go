// Package wal is a write-ahead log: batches of items, each of them on disk, or known
// not to be, once Append has returned. It knows nothing of what is in an item.
//
//	DIR/00000007.log      a segment; the newest is written, those before are read
//	DIR/00000002.spare    a segment that nobody needs, to be written over
//
//	segment:  record, record, ...                          each begins at a multiple of 8
//	record:   magic:4 crc:4 sequence:8 segment:4 oldest:4 chain:4 size:4   item, item, ...   0 to 7 zeros
//	item:     crc:4 size:4 body                            crc over size and body
//
// A record's crc covers its header and the checksums of its items, and chain is the
// crc of the record before it, so that every record vouches for all the earlier ones.
// Numbers are little endian, checksums CRC32C.
//
// Blocks that were written before are cheap to write again: the file system has
// nothing to allocate, and nothing but the blocks to sync. So a segment that is not
// needed is renamed and written over, and one that grows is filled with zeros ahead of
// the records. What lies behind the last record is therefore zeros, or what was there
// before, or the torn record of a crash; none of them can pass for a record, since
// each names its segment, and segments are never numbered twice.
//
// Invariants. At most one record is on its way to disk. A segment is given up only
// after a record on disk has said so (oldest); all from there on must be there and
// follow each other when the log is opened, or it is damaged. A record that is not
// whole is the end of the log, unless a whole one follows it: then it is damage. A
// last record that rotted away looks like one that was never written: that is for
// the caller to find, who can keep Sequence and Chain elsewhere.
package wal
