package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// The commands that Store can send. Each takes a key, uniform over all keys.
var commandNames = [...]string{"set", "get", "mixed", "incr", "lpush", "lpop", "list"}

// CommandNames returns what StoreConfig.Command may be. mixed is get with the
// chance ReadShare and else set; list is lpush and lpop in turn.
func CommandNames() []string { return slices.Clone(commandNames[:]) }

// source makes the commands of one connection. Same seed: same commands.
type source struct {
	command   string
	readShare float64
	keys      int
	value     []byte
	chance    *rand.Rand
	turn      int
	key       []byte // reused
}

func newSource(c *StoreConfig, worker int, value []byte) *source {
	return &source{
		command: c.Command, readShare: c.ReadShare, keys: c.Keys,
		value: value, chance: rand.New(rand.NewPCG(c.Seed, uint64(worker)+1)),
	}
}

// makeValue returns bytes that do not compress.
func makeValue(c *StoreConfig) []byte {
	value := make([]byte, c.ValueBytes)
	random := rand.New(rand.NewPCG(c.Seed, 0))
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return value
}

// next returns a command's name and what follows the key; nil if nothing does.
func (s *source) next() (name string, value []byte) {
	s.turn++
	switch s.command {
	case "get":
		return "GET", nil
	case "mixed":
		if s.chance.Float64() < s.readShare {
			return "GET", nil
		}
	case "incr":
		return "INCR", nil
	case "lpop":
		return "LPOP", nil
	case "lpush":
		return "LPUSH", s.value
	case "list":
		if s.turn%2 == 0 {
			return "LPOP", nil
		}
		return "LPUSH", s.value
	}
	return "SET", s.value
}

// nextKey returns a key, valid until the next call. Kinds of values do not share
// keys, so that one run does not make the next one fail.
func (s *source) nextKey() []byte {
	s.key = appendKey(s.key[:0], s.command, s.chance.IntN(s.keys))
	return s.key
}

func appendKey(to []byte, command string, number int) []byte {
	kind := "key/"
	switch command {
	case "incr":
		kind = "num/"
	case "lpush", "lpop", "list":
		kind = "list/"
	}
	return fmt.Appendf(to, "%s%08d", kind, number)
}

// append encodes the next command as the Redis protocol has it: an array of strings.
func (s *source) append(to []byte) []byte {
	name, value := s.next()
	if value == nil {
		return appendCommand(to, []byte(name), s.nextKey())
	}
	return appendCommand(to, []byte(name), s.nextKey(), value)
}

func appendCommand(to []byte, parts ...[]byte) []byte {
	to = append(to, '*')
	to = strconv.AppendInt(to, int64(len(parts)), 10)
	to = append(to, "\r\n"...)
	for _, part := range parts {
		to = append(to, '$')
		to = strconv.AppendInt(to, int64(len(part)), 10)
		to = append(to, "\r\n"...)
		to = append(to, part...)
		to = append(to, "\r\n"...)
	}
	return to
}

// preparation is what a connection sends before anything else.
func preparation(c *StoreConfig) [][]string {
	var all [][]string
	if c.Password != "" {
		all = append(all, []string{"AUTH", c.Password})
	}
	if c.Consistency != "" {
		all = append(all, append([]string{"CONSISTENCY"}, strings.Fields(c.Consistency)...))
	}
	return all
}
