package redis

import "sync/atomic"

// DefaultReplyBytes is what the large replies of all clients of a node may take in memory
// on their way, each counted twice.
const DefaultReplyBytes = 256 << 20

// budget is the memory that a node has for large replies on their way to clients. All
// connections share it.
//
// A reply is paid for before memory is taken for it, as soon as its length is known, and
// given back when the session is reset: by then the client has it. Who is the only one
// with a large reply gets what it asks for, up to store.MaxReplyBytes: or a value larger
// than the budget of a small node could never be read.
type budget struct {
	bytes int64
	used  atomic.Int64
}

// account is what one connection has taken from a budget. One goroutine at a time uses it.
type account struct {
	budget *budget
	taken  int64
}

// copiesOfReply is how often a reply is in memory: as the machine built it, and in the
// notation that the client reads.
const copiesOfReply = 2

// charge takes memory for n more bytes of replies, or says that there is none.
func (a *account) charge(n int) bool {
	cost := copiesOfReply * int64(n)
	for {
		used := a.budget.used.Load()
		if used+cost > a.budget.bytes && used > a.taken {
			return false
		}
		if a.budget.used.CompareAndSwap(used, used+cost) {
			a.taken += cost
			return true
		}
	}
}

// giveBack returns all that was taken.
func (a *account) giveBack() {
	if a.taken > 0 {
		a.budget.used.Add(-a.taken)
		a.taken = 0
	}
}
