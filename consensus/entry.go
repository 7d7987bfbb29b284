package consensus

import (
	"encoding/binary"

	"flotilla"
)

// An entry's data. A new leader's first entry has none.
//
//	version u8 = 1 | flags u8 | time i64 little endian | (length uvarint, parcel)...
const (
	entryVersion    = 1
	entryHeaderSize = 10
	flagNoRoom      = 1 // a replica's disk is nearly full
)

// Limits of one entry. A single parcel may be larger, see MaxParcelBytes.
const (
	// MaxEntryBytes is the size from which on no further parcel joins an entry.
	MaxEntryBytes = 4 << 20
	// MaxParcelBytes is the size from which on no further command joins a parcel.
	MaxParcelBytes = 1 << 20
	// MaxParcelCommands is how many commands a parcel holds at the most.
	MaxParcelCommands = 8192
	// MaxCommandBytes is the size of the largest command.
	MaxCommandBytes = 17 << 20
)

func appendEntryHeader(b []byte, flags byte, time flotilla.Millis) []byte {
	b = append(b, entryVersion, flags)
	return binary.LittleEndian.AppendUint64(b, uint64(time))
}

// entryHead is an entry whose parcels were not yet read.
type entryHead struct {
	flags   byte
	time    flotilla.Millis
	parcels reader
}

func decodeEntryHead(data []byte) (entryHead, error) {
	if len(data) < entryHeaderSize || data[0] != entryVersion {
		return entryHead{}, errShort
	}
	return entryHead{
		flags:   data[1],
		time:    flotilla.Millis(binary.LittleEndian.Uint64(data[2:])),
		parcels: reader{rest: data[entryHeaderSize:]},
	}, nil
}
