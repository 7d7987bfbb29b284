package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// grammar makes random commands of one family from templates. $ words stand for
// random arguments, [ ... ] for what may be left out, + behind a word for one or
// more of it. Few keys and members, so that commands meet.
type grammar struct {
	r         *rand.Rand
	keys      []string // of the family; sometimes one of another is taken
	templates []string
	scores    []string
}

// exactScores print the same in every version of Redis, the others only from 7.2 on.
var (
	exactScores = strings.Fields("0 -0 1 2 2 3 -1 1.5 -2.25 0.5 10 100 inf -inf +inf 3.0 1e3 0x10 5e-1 -7 1e20 12345678901234567")
	moreScores  = strings.Fields("0.1 0.2 3.3 -1e-7 1e-10 1.1e300 4.9e-324 123456.789 1e16 3.14159265358979 -0.3 1e21 0.0001 1e-5")
	anyKeys     = strings.Fields("h1 h2 l1 l2 s1 s2 z1 z2 str none")
	members     = strings.Fields("a b c d e f g aa ab 1 2 -3 01 10")
	garbage     = []string{"", "x", "-1", "0", "1", "-9223372036854775808", "9223372036854775808", "nan", "1e400", " 1", "1 ", "(",
		"[", "WITHSCORES", "LIMIT", "COUNT", "9223372036854775807", "(1", "[a", "+", "-", "inf", "1.5", "REV", "a\x00b", "\r\n"}
)

func (g *grammar) of(list []string) string { return list[g.r.IntN(len(list))] }

func (g *grammar) word(name string) string {
	number := func(list string) string { return g.of(strings.Fields(list)) }
	switch name {
	case "$k":
		if g.r.IntN(25) == 0 {
			return g.of(anyKeys)
		}
		return g.of(g.keys)
	case "$s":
		return g.of([]string{"s1", "s2", g.word("$k")})
	case "$m":
		return g.of(members)
	case "$v":
		return g.of([]string{"x", "y", "", "1", "7", "-12", "9223372036854775807", "1.25", "3.0e2", "\x00\xff", "a", "b",
			"-9223372036854775808", "0.1", strings.Repeat("long", 30)})
	case "$i":
		return number("0 0 1 2 3 4 -1 -1 -2 -3 -5 7 100 -100")
	case "$n":
		return number("0 1 1 2 3 5 20")
	case "$-n":
		return number("0 1 1 2 3 5 20 -1 -2 -3 -7")
	case "$inc":
		return number("1 -1 5 0 100 -9223372036854775808 9223372036854775807")
	case "$f":
		return number("0.1 0.2 1 -1.5 3.0e3 1e-3 10.50 0 inf 5e-17 123456789.123")
	case "$score":
		return g.of(g.scores)
	case "$bound":
		return g.of([]string{g.of(g.scores), "(" + g.of(g.scores), "-inf", "+inf"})
	case "$lex":
		return g.of([]string{"-", "+", "[" + g.of(members), "(" + g.of(members), "[a", "(c"})
	case "$t":
		return number("0 1 0.01 1.5 10")
	case "$end":
		return number("left RIGHT Left right")
	case "$mm":
		return number("min MAX")
	}
	if strings.HasPrefix(name, "$") {
		panic("no such word: " + name)
	}
	return name
}

// command makes a command; some have one argument missing, extra or replaced.
func (g *grammar) command() []string {
	args := g.expand(strings.Fields(g.of(g.templates)))
	bad := garbage
	if name := args[0]; strings.Contains(name, "rand") || strings.Contains(name, "mpop") {
		bad = []string{"x", "", "WITHSCORES", "99"} // the largest numbers would never end, or crash Redis
	}
	at := g.r.IntN(len(args))
	switch g.r.IntN(40) {
	case 0:
		if len(args) > 1 {
			args = args[:len(args)-1]
		}
	case 1:
		args = append(args, g.of(bad))
	case 2, 3:
		if at > 0 {
			args[at] = g.of(bad)
		}
	}
	return args
}

func (g *grammar) expand(words []string) (args []string) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "[":
			depth, end := 1, i+1
			for ; depth > 0; end++ {
				switch words[end] {
				case "[":
					depth++
				case "]":
					depth--
				}
			}
			if g.r.IntN(2) == 0 {
				args = append(args, g.expand(words[i+1:end-1])...)
			}
			i = end - 1
		case strings.HasPrefix(word, "#"): // as many keys as the number before them says
			n := 1 + g.r.IntN(3)
			args = append(args, strconv.Itoa(n))
			for range n {
				args = append(args, g.word("$"+word[1:]))
			}
		case len(word) > 1 && strings.HasSuffix(word, "+"):
			for range 1 + g.r.IntN(3) {
				for _, part := range strings.Split(word[:len(word)-1], ",") {
					args = append(args, g.word(part))
				}
			}
		case strings.Contains(word, "|"):
			args = append(args, g.of(strings.Split(word, "|")))
		default:
			args = append(args, g.word(word))
		}
	}
	return args
}

var hashTemplates = []string{"hset $k $m,$v+", "hset $k $m,$v+", "hmset $k $m,$v+", "hsetnx $k $m $v", "hget $k $m",
	"hmget $k $m+", "hgetall $k", "hdel $k $m+", "hdel $k $m+", "hlen $k", "hexists $k $m", "hkeys $k", "hvals $k",
	"hincrby $k $m $inc", "hincrbyfloat $k $m $f", "hstrlen $k $m", "hrandfield $k", "hrandfield $k $-n [ withvalues ]",
	"hscan $k 0 [ match $m|*|a*|[a-c]* ] [ count $n ]", "del $k", "exists $k+", "type $k", "set str x", "hset $k $m $v"}

var listTemplates = []string{"lpush $k $v+", "rpush $k $v+", "rpush $k $v $v $v", "lpushx $k $v+", "rpushx $k $v+", "lpop $k",
	"rpop $k", "lpop $k $n", "rpop $k $n", "llen $k", "lrange $k $i $i", "lrange $k 0 -1", "lindex $k $i", "lset $k $i $v",
	"linsert $k before|AFTER $v $v", "lrem $k $i $v", "ltrim $k $i $i",
	"lpos $k $v [ rank $i ] [ count $n ] [ maxlen $n ]", "rpoplpush $k $k", "lmove $k $k $end $end",
	"lmpop #k $end [ count $n ]", "blpop $k+ $t", "brpop $k+ $t", "brpoplpush $k $k $t", "blmove $k $k $end $end $t",
	"blmpop $t #k $end [ count $n ]", "set str x"}

var setTemplates = []string{"sadd $k $m+", "sadd $k $m+", "sadd $k $m $m $m $m", "srem $k $m+", "smembers $k", "sismember $k $m",
	"smismember $k $m+", "scard $k", "spop $k", "spop $k $n", "srandmember $k", "srandmember $k $-n", "smove $k $k $m",
	"sunion $k+", "sinter $k+", "sdiff $k+", "sunionstore $k $k+", "sinterstore $k $k+", "sdiffstore $k $k+",
	"sintercard #k [ limit $n ]", "sscan $k 0 [ match $m|*|a*|[a-c]* ] [ count $n ]", "set str x", "rpush l1 x", "del $k"}

var zsetTemplates = []string{"zadd $k $score,$m+", "zadd $k $score,$m+", "zadd $k $score $m $score $m $score $m", "zadd $k 0,$m+",
	"zadd $k [ nx|xx|NX|XX ] [ gt|lt|GT|LT ] [ ch ] $score,$m+", "zadd $k [ nx|xx ] [ gt|lt ] [ ch ] incr $score $m",
	"zincrby $k $score $m", "zscore $k $m", "zmscore $k $m+", "zcard $k", "zcount $k $bound $bound", "zlexcount $k $lex $lex",
	"zrank $k $m", "zrevrank $k $m", "zrem $k $m+", "zremrangebyrank $k $i $i", "zremrangebyscore $k $bound $bound",
	"zremrangebylex $k $lex $lex", "zpopmin $k", "zpopmax $k", "zpopmin $k $n", "zpopmax $k $n", "zmpop #k $mm [ count $n ]",
	"bzpopmin $k+ $t", "bzpopmax $k+ $t", "bzmpop $t #k $mm [ count $n ]", "zrandmember $k", "zrandmember $k $-n [ withscores ]",
	"zscan $k 0 [ match $m|*|a* ] [ count $n ]", "sadd s1 $m+", "srem s1 $m+", "set str x", "del $k"}

var zrangeTemplates = []string{"zadd $k $score,$m+", "zadd $k $score $m $score $m $score $m", "zadd $k 0,$m+", "del $k",
	"zrange $k $i $i [ rev ] [ withscores ]", "zrange $k $bound $bound byscore [ rev ] [ limit $-n $-n ] [ withscores ]",
	"zrange $k $lex $lex bylex [ rev ] [ limit $-n $-n ]", "zrange $k 0 -1 [ rev ] [ withscores ]",
	"zrevrange $k $i $i [ withscores ]", "zrangebyscore $k $bound $bound [ withscores ] [ limit $-n $-n ]",
	"zrevrangebyscore $k $bound $bound [ withscores ] [ limit $-n $-n ]", "zrangebylex $k $lex $lex [ limit $-n $-n ]",
	"zrevrangebylex $k $lex $lex [ limit $-n $-n ]", "zrangestore $k $k $i $i [ rev ]",
	"zrangestore $k $k $bound $bound byscore [ rev ] [ limit $-n $-n ]", "zrangestore $k $k $lex $lex bylex [ rev ]",
	"zunion #s [ weights $score $score ] [ aggregate sum|min|MAX ] [ withscores ]", "zdiff #s [ withscores ]",
	"zinter #s [ weights $score $score ] [ aggregate sum|min|MAX ] [ withscores ]", "sadd s1 $m+", "srem s1 $m+",
	"zunion 2 $s $s [ weights $score $score ] [ aggregate sum|min|MAX ] [ withscores ]",
	"zinter 2 $s $s [ weights $score $score ] [ aggregate sum|min|MAX ] [ withscores ]",
	"zunionstore $k 2 $s $s [ weights $score $score ] [ aggregate sum|min|MAX ]", "zdiffstore $k #s",
	"zinterstore $k 2 $s $s [ weights $score $score ] [ aggregate sum|min|MAX ]", "zintercard #s [ limit $n ]", "set str x"}

// collectionGrammars is what the comparison and the determinism test go through.
var collectionGrammars = []struct {
	name      string
	keys      string
	templates []string
}{
	{"hash", "h1 h2", hashTemplates},
	{"list", "l1 l2", listTemplates},
	{"set", "s1 s2 s3", setTemplates},
	{"zset", "z1 z2", zsetTemplates},
	{"zrange", "z1 z2", zrangeTemplates},
}

// checkElements verifies that each record says truly what elements its key has.
func (l *lab) checkElements() error {
	var firstErr error
	l.state.pairs.Ascend("sk", func(k string, v []byte) bool {
		if k[1] != spaceRecord {
			return false
		}
		it := item{place: placeOf([]byte(k[recordKeyHead:]))}
		it.decodeRecord(v)
		if err := l.checkItem(&it); err != nil && firstErr == nil {
			firstErr = fmt.Errorf("%s %q: %w", it.kind, it.key, err)
		}
		return true
	})
	return firstErr
}

func (l *lab) checkItem(it *item) error {
	prefix := it.appendElements(nil)
	byTag := map[byte][]string{}
	values := map[string][]byte{}
	for k, v := range l.state.Scan(prefix, prefixEnd(prefix)) {
		tag, rest := k[len(prefix)], string(k[len(prefix)+1:])
		byTag[tag] = append(byTag[tag], rest)
		values[string(tag)+rest] = v
	}
	switch it.kind {
	case kindHash, kindSet:
		tag := map[kind]byte{kindHash: tagField, kindSet: tagMember}[it.kind]
		if int64(len(byTag[tag])) != it.count() || len(byTag) != 1 {
			return fmt.Errorf("%d counted, %d there", it.count(), len(byTag[tag]))
		}
	case kindList:
		li := listOf(*it)
		for i, rest := range byTag[tagPosition] {
			if at := int64(binary.BigEndian.Uint64([]byte(rest)) ^ 1<<63); at != li.head+int64(i) {
				return fmt.Errorf("an element at %d instead of %d", at, li.head+int64(i))
			}
		}
		if int64(len(byTag[tagPosition])) != li.length() || len(byTag) != 1 {
			return fmt.Errorf("%d long, %d there", li.length(), len(byTag[tagPosition]))
		}
	case kindZset:
		return checkZset(zsetOf(*it), byTag, values)
	}
	return nil
}

func checkZset(z zset, byTag map[byte][]string, values map[string][]byte) error {
	if err := checkBlocks(z, byTag, values); err != nil {
		return err
	}
	if n := len(byTag[tagMember]); int64(n) != z.n || n != len(byTag[tagScore]) {
		return fmt.Errorf("%d counted, %d members, %d scores", z.n, n, len(byTag[tagScore]))
	}
	for _, rest := range byTag[tagMember] {
		score, member := decodeScore(values[string(tagMember)+rest]), rest[4:]
		order := orderOf(score)
		if _, ok := values[string(tagScore)+string(binary.BigEndian.AppendUint64(nil, order))+member]; !ok {
			return fmt.Errorf("member %q has score %v, but not in the order", member, score)
		}
		if order < z.low || order > z.high {
			return fmt.Errorf("score %v is out of the bounds", score)
		}
	}
	return nil
}

// checkBlocks verifies that the blocks of a sorted set, if it has any, count all
// members in order, and none too many.
func checkBlocks(z zset, byTag map[byte][]string, values map[string][]byte) error {
	blocks, scores := byTag[tagBlock], byTag[tagScore]
	if z.hasBlocks != (len(blocks) > 0) || z.n >= blocksFrom && !z.hasBlocks || z.n < blocksUntil && z.hasBlocks {
		return fmt.Errorf("%d members have %d blocks (%v)", z.n, len(blocks), z.hasBlocks)
	}
	for i, begin := range blocks {
		count, there := blockCount(values[string(tagBlock)+begin]), int64(0)
		for len(scores) > 0 && (i+1 == len(blocks) || scores[0] < blocks[i+1]) {
			if scores[0] < begin {
				return fmt.Errorf("a member before its block")
			}
			there, scores = there+1, scores[1:]
		}
		if there != count || count > 2*blockSize || count == 0 && i > 0 || i == 0 && begin != "" {
			return fmt.Errorf("block %d at %q has %d members and says %d", i, begin, there, count)
		}
	}
	if most := 2 + 8*int(z.n)/blockSize; z.hasBlocks && len(blocks) > most {
		return fmt.Errorf("%d members have %d blocks", z.n, len(blocks))
	}
	return nil
}

// TestCollectionsAreDeterministic applies the same commands at the same indexes
// twice: replies and all bytes of the state are the same. After each command the
// records agree with the elements.
func TestCollectionsAreDeterministic(t *testing.T) {
	for _, family := range collectionGrammars {
		t.Run(family.name, func(t *testing.T) {
			run := func() (digest uint64, replies []byte) {
				l := newLab()
				g := &grammar{r: rand.New(rand.NewPCG(1, 2)), keys: strings.Fields(family.keys),
					templates: family.templates, scores: append(moreScores, exactScores...)}
				for range 3000 {
					replies = append(replies, l.raw(g.command()...)...)
					if err := l.checkElements(); err != nil {
						t.Fatal(err)
					}
				}
				return l.state.digest(), replies
			}
			digest, replies := run()
			digest2, replies2 := run()
			if digest != digest2 || !bytes.Equal(replies, replies2) {
				t.Fatalf("two runs of the same commands differ")
			}
		})
	}
}

// TestScoresSortAsBytes: the order of scores in the state is that of numbers.
func TestScoresSortAsBytes(t *testing.T) {
	scores := []float64{math.Inf(-1), -math.MaxFloat64, -1e10, -1.5, -1, -math.SmallestNonzeroFloat64, 0,
		math.SmallestNonzeroFloat64, 0.1, 1, 1.5, 1e10, math.MaxFloat64, math.Inf(1)}
	for i, score := range scores {
		if got := scoreOf(orderOf(score)); got != score {
			t.Errorf("%v came back as %v", score, got)
		}
		if i > 0 && orderOf(scores[i-1]) >= orderOf(score) {
			t.Errorf("%v is not below %v", scores[i-1], score)
		}
	}
	if orderOf(math.Copysign(0, -1)) != orderOf(0) {
		t.Error("-0 and 0 are not equal")
	}
}
