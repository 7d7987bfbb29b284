package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/wal"

	"go.etcd.io/raft/v3/raftpb"
)

// The log's items (see storage/wal for what is around them). All numbers are little
// endian; checksums are the log's business.
//
//	'e' group:4 index:8 term:8 type:1 data      an entry; it replaces what the log had from index on
//	'm' the same                                an entry that was there, written again
//	'h' group:4 term:8 vote:8 commit:8          the HardState
//	'r' group:4 replica:8 base:8 baseTerm:8     the replica; entries up to base are gone
//	'n' the same                                a replica whose log is empty, whatever was there
//	'x' group:4                                 no replica any more
//
// The state store. Numbers in keys are big endian, so that keys sort by them. A value
// that is not data carries a CRC32C of its key and the rest of itself, computed before
// Pebble saw it: a value that lost its way is found as surely as a flipped bit.
//
//	'd' group:4 epoch:4 key -> value                          a group's key; no CRC besides Pebble's
//	'm' group:4             -> crc:4 epoch:8 index:8 term:8 time:8  the mark of what is in that epoch
//	's'                     -> crc:4 synced:8 flushes:8       the log was synced at least to this record; how often the states were flushed
const (
	entryItem      = 'e'
	movedItem      = 'm'
	hardItem       = 'h'
	replicaItem    = 'r'
	newReplicaItem = 'n'
	removedItem    = 'x'

	itemBytes      = 1 + 4 // before what follows the group
	entryItemBytes = itemBytes + 8 + 8 + 1

	dataPrefix  = 'd'
	markPrefix  = 'm'
	flushPrefix = 's'

	dataPrefixBytes = 1 + 4 + 4
)

// castagnoli is the CRC32C table. It is written once, here.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errChecksum = errors.New("checksum does not match")

func groupKey(prefix byte, group flotilla.GroupID) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, uint32(group))
}

func dataKeyPrefix(group flotilla.GroupID, epoch uint32) []byte {
	return binary.BigEndian.AppendUint32(groupKey(dataPrefix, group), epoch)
}

// prefixEnd returns the smallest key that is greater than all with the prefix.
// Our prefixes never consist of 0xff bytes only: they begin with a letter.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// seal puts the checksum into the four bytes that were left for it.
func seal(key, value []byte) uint32 {
	sum := checksum(key, value[4:])
	binary.LittleEndian.PutUint32(value, sum)
	return sum
}

// unseal checks and takes off the checksum.
func unseal(key, value []byte) ([]byte, error) {
	if len(value) < 4 || checksum(key, value[4:]) != binary.LittleEndian.Uint32(value) {
		return nil, errChecksum
	}
	return value[4:], nil
}

func checksum(key, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, body)
}

// addNumbers adds an item that consists of numbers.
func addNumbers(batch *wal.Batch, kind byte, group flotilla.GroupID, numbers ...uint64) {
	body := putGroup(batch.Add(itemBytes+8*len(numbers)), kind, group)
	for i, n := range numbers {
		binary.LittleEndian.PutUint64(body[8*i:], n)
	}
}

// putGroup fills in how each item begins, and returns the rest.
func putGroup(body []byte, kind byte, group flotilla.GroupID) []byte {
	body[0] = kind
	binary.LittleEndian.PutUint32(body[1:], uint32(group))
	return body[itemBytes:]
}

func addHard(batch *wal.Batch, group flotilla.GroupID, hard *raftpb.HardState) {
	addNumbers(batch, hardItem, group, hard.GetTerm(), hard.GetVote(), hard.GetCommit())
}

func addReplica(batch *wal.Batch, kind byte, group flotilla.GroupID, id flotilla.ReplicaID, base, baseTerm uint64) {
	addNumbers(batch, kind, group, uint64(id), base, baseTerm)
}

func addEntry(batch *wal.Batch, kind byte, group flotilla.GroupID, e *raftpb.Entry) {
	body := putGroup(batch.Add(entryItemBytes+len(e.Data)), kind, group)
	binary.LittleEndian.PutUint64(body, e.GetIndex())
	binary.LittleEndian.PutUint64(body[8:], e.GetTerm())
	body[16] = byte(e.GetType())
	copy(body[17:], e.Data)
}

// errItem says that an item of the log passed its checksum but makes no sense.
var errItem = fmt.Errorf("%w: an item of the log makes no sense", errDamaged)

// splitItem takes an item apart: its kind, its group, and the rest.
func splitItem(body []byte) (kind byte, group flotilla.GroupID, rest []byte, err error) {
	if len(body) < itemBytes {
		return 0, 0, nil, errItem
	}
	return body[0], flotilla.GroupID(binary.LittleEndian.Uint32(body[1:])), body[itemBytes:], nil
}

// itemNumbers reads the numbers of an item that has as many.
func itemNumbers(rest []byte, numbers ...*uint64) error {
	if len(rest) != 8*len(numbers) {
		return errItem
	}
	for i, n := range numbers {
		*n = binary.LittleEndian.Uint64(rest[8*i:])
	}
	return nil
}

// itemEntry reads an entry. It keeps rest.
func itemEntry(rest []byte) (*raftpb.Entry, error) {
	if len(rest) < entryItemBytes-itemBytes {
		return nil, errItem
	}
	index, term := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
	kind := raftpb.EntryType(rest[16])
	entry := &raftpb.Entry{Term: &term, Index: &index, Type: &kind}
	if data := rest[17:]; len(data) > 0 {
		entry.Data = data
	}
	return entry, nil
}

// sealed builds a value of fixed numbers.
func sealed(key []byte, numbers ...uint64) []byte {
	value := make([]byte, 4, 4+8*len(numbers))
	for _, n := range numbers {
		value = binary.LittleEndian.AppendUint64(value, n)
	}
	seal(key, value)
	return value
}

// unsealed is its reverse.
func unsealed(key, value []byte, numbers ...*uint64) error {
	body, err := unseal(key, value)
	if err != nil {
		return err
	}
	if len(body) != 8*len(numbers) {
		return errChecksum
	}
	for i, n := range numbers {
		*n = binary.LittleEndian.Uint64(body[8*i:])
	}
	return nil
}

func markValue(key []byte, epoch uint32, mark consensus.Mark) []byte {
	return sealed(key, uint64(epoch), mark.Index, mark.Term, uint64(mark.Time))
}

func parseMark(key, value []byte) (epoch uint32, mark consensus.Mark, err error) {
	var e, time uint64
	err = unsealed(key, value, &e, &mark.Index, &mark.Term, &time)
	mark.Time = flotilla.Millis(time)
	return uint32(e), mark, err
}
