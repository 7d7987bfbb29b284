package sim

import (
	crypto "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
)

// replaceRandom has crypto/rand.Reader give numbers that follow from a seed, until
// restore is called. Raft draws its election timeouts there.
func replaceRandom(seed uint64) (restore func()) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	before := crypto.Reader
	crypto.Reader = rand.NewChaCha8(key)
	return func() { crypto.Reader = before }
}
