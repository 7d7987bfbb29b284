package flotilla

import "bytes"

// Slots is how many hash slots there are, as in Redis Cluster.
const Slots = 16384

// Slot is one of the 16384 hash slots; every key, queue, room and database has one.
type Slot uint16

// SlotOf returns the slot of a key: CRC16 (XMODEM) of the key, or of what stands
// between its first '{' and the next '}' if that is not empty, modulo 16384
// (Redis Cluster specification, "Hash tags").
func SlotOf(key []byte) Slot {
	if open := bytes.IndexByte(key, '{'); open >= 0 {
		if length := bytes.IndexByte(key[open+1:], '}'); length > 0 {
			key = key[open+1 : open+1+length]
		}
	}
	return Slot(crc16(key) % Slots)
}

// crc16 is CRC-16/XMODEM: polynomial 0x1021, initial value 0, not reflected.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc = crc<<8 ^ crc16Table[byte(crc>>8)^c]
	}
	return crc
}

// crc16Table holds the CRC of each single byte. It is written once, here.
var crc16Table = makeCRC16Table()

func makeCRC16Table() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}
