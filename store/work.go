package store

// A write is carried out on every copy, by the node's one loop, and everybody else
// waits meanwhile. So what one write may visit is bounded. A read is not: it looks at a
// picture of the state, beside the loop.
//
// A command that visits too many elements is given up wherever it is. That changes
// nothing, since each command looks at what is there before it writes: what it is about
// to write beyond what it looked at, it spends before it begins.

// tooMuch is what spend panics with and guarded recovers from.
type tooMuch struct{}

const errTooMuch = "ERR the command would visit more than 50000 elements, and all others would wait for it: " +
	"it was not carried out; do it in parts, or read instead (SORT_RO, SUNION, ZRANGE and so on visit any number)"

// spend counts n elements that a write visits or writes, or gives the command up.
func (c *call) spend(n int64) {
	if c.tx == nil {
		return
	}
	if c.spent += n; c.spent > c.maxSpent {
		panic(tooMuch{})
	}
}

// guarded carries out c.cmd. What a command that is given up has written of its reply is
// taken back.
func (c *call) guarded() {
	start := len(c.out)
	defer func() {
		switch bug := recover(); bug {
		case nil:
		case any(tooMuch{}):
			c.out = c.out[:start]
			c.err(errTooMuch)
		default:
			panic(bug)
		}
	}()
	c.spend(int64(len(c.args)))
	c.cmd.run(c)
}
