package flotilla

import "iter"

// Reader is a consistent look at one group's ordered key space.
//
// Keys are ordered as bytes. A nil end means "to the last key". What Get and the
// scans return belongs to the reader: it must not be changed, and is valid until
// the reader is closed or, for a State, until the Tx ends. A scan must not be
// continued after its State was written to: collect first, then write.
//
// No method returns an error, because a machine can do nothing about one: a
// reader that fails to read from disk remembers it, returns "not there", and its
// owner discards the outcome and stops the replica.
type Reader interface {
	// Get returns the value of key and whether there is one.
	Get(key []byte) (value []byte, ok bool)
	// Scan visits start <= key < end in ascending order.
	Scan(start, end []byte) iter.Seq2[[]byte, []byte]
	// ScanBack visits the same keys in descending order.
	ScanBack(start, end []byte) iter.Seq2[[]byte, []byte]
}

// State is a Reader that can be written to. Writes are seen by the reads that
// follow them. Key and value are copied: the caller keeps both.
type State interface {
	Reader
	Set(key, value []byte)
	Delete(key []byte)
	// DeleteRange deletes start <= key < end. It costs about the same however
	// many keys there are, but more than a Delete: meant for dozens and up.
	DeleteRange(start, end []byte)
}
