package storage

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"flotilla"
	"flotilla/consensus"

	"go.etcd.io/raft/v3/raftpb"
)

// The log store. All numbers in keys are big endian, so that keys sort by them;
// all numbers in values are little endian. Each value carries a CRC32C of its key
// and the rest of itself, computed before Pebble saw it and checked after Pebble
// gave it back: a value that lost its way is found as surely as a flipped bit.
//
//	'e' group:4 index:8 -> crc:4 type:1 term:uvarint data   an entry
//	'h' group:4         -> crc:4 term:8 vote:8 commit:8      the HardState
//	'r' group:4         -> crc:4 replica:8 base:8 baseTerm:8 the replica; entries up to base are gone
//	's'                 -> crc:4 sequence:8 chain:8          the last batch
//
// The state store:
//
//	'd' group:4 epoch:4 key -> value                          a group's key; no CRC besides Pebble's
//	'm' group:4             -> crc:4 epoch:8 index:8 term:8 time:8  the mark of what is in that epoch
//	's'                     -> crc:4 sequence:8               the log was synced at least to this batch
const (
	entryPrefix    = 'e'
	hardPrefix     = 'h'
	replicaPrefix  = 'r'
	sequencePrefix = 's'
	dataPrefix     = 'd'
	markPrefix     = 'm'

	entryKeyBytes   = 1 + 4 + 8
	dataPrefixBytes = 1 + 4 + 4
)

// castagnoli is the CRC32C table. It is written once, here.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errChecksum = errors.New("checksum does not match")

func appendEntryKey(dst []byte, group flotilla.GroupID, index uint64) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, entryPrefix), uint32(group))
	return binary.BigEndian.AppendUint64(dst, index)
}

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

func entryValueBytes(e *raftpb.Entry) int {
	return 4 + 1 + uvarintBytes(e.GetTerm()) + len(e.Data)
}

func uvarintBytes(v uint64) (n int) {
	for n = 1; v >= 0x80; n++ {
		v >>= 7
	}
	return n
}

// putEntry fills value, which has exactly entryValueBytes, and returns the checksum.
func putEntry(key, value []byte, e *raftpb.Entry) uint32 {
	value[4] = byte(e.GetType())
	n := 5 + binary.PutUvarint(value[5:], e.GetTerm())
	copy(value[n:], e.Data)
	return seal(key, value)
}

// parseEntry copies: the value belongs to Pebble.
func parseEntry(key, value []byte, index uint64) (*raftpb.Entry, error) {
	body, err := unseal(key, value)
	if err != nil {
		return nil, err
	}
	if len(body) < 2 {
		return nil, errChecksum
	}
	term, n := binary.Uvarint(body[1:])
	if n <= 0 {
		return nil, errChecksum
	}
	kind := raftpb.EntryType(body[0])
	entry := &raftpb.Entry{Term: &term, Index: &index, Type: &kind}
	if data := body[1+n:]; len(data) > 0 {
		entry.Data = append([]byte(nil), data...)
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

func hardValue(key []byte, hard *raftpb.HardState) []byte {
	return sealed(key, hard.GetTerm(), hard.GetVote(), hard.GetCommit())
}

func parseHard(key, value []byte) (*raftpb.HardState, error) {
	var term, vote, commit uint64
	if err := unsealed(key, value, &term, &vote, &commit); err != nil {
		return nil, err
	}
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}, nil
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
