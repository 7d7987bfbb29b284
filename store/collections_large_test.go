package store

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"flotilla"
)

// largeTemplates work on collections of hundreds of elements: those are scanned in
// pages, sampled instead of listed, and deleted as ranges.
var largeTemplates = []string{
	"hset h1 $M,$v+", "hset h1 $M 1 $M 2 $M 3 $M 4 $M 5 $M 6 $M 7 $M 8", "hdel h1 $M+", "hget h1 $M", "hlen h1", "hgetall h1",
	"hscan h1 0 count $n", "hscan h1 0 match *1*", "hrandfield h1 40 withvalues", "hrandfield h1 300", "hrandfield h1 -50",
	"sadd s1 $M $M $M $M $M $M $M $M $M", "sadd s2 $M $M $M $M $M $M $M $M $M", "srem s1 $M $M", "spop s1 $n", "spop s1",
	"srandmember s1 40", "srandmember s1 -40", "srandmember s1", "sscan s1 0 count $n", "sunion s1 s2", "sinter s1 s2",
	"sdiff s1 s2", "sdiff s2 s3", "sunionstore s3 s1 s2", "sinterstore s3 s1 s2", "sdiffstore s3 s1 s2", "smembers s3",
	"zadd z1 $M $M $M $M $M $M $M $M 1 $M 1 $M 2 $M", "zadd z1 $M $M", "zrem z1 $M+", "zrank z1 $M", "zrevrank z1 $M",
	"zrange z1 $M $M withscores", "zrange z1 -20 -1", "zrange z1 -$M -$M rev", "zcount z1 $M $M", "zscan z1 0 count $n",
	"zrangebyscore z1 $M +inf limit 10 5 withscores", "zrandmember z1 40 withscores", "zpopmin z1 $n", "zpopmax z1 $n",
	"zremrangebyrank z1 0 $n", "zremrangebyscore z1 -inf $n", "zunionstore z2 2 z1 s1", "zinterstore z2 2 z1 s1", "zdiffstore z2 2 z1 s1",
	"rpush l1 $M $M $M $M $M $M $M $M $M $M $M $M $M $M $M", "rpush l1 $M $M $M $M $M $M $M $M $M $M $M $M $M $M $M", "llen l1",
	"rpush l1 $M $M $M $M $M $M $M $M $M $M", "lpush l1 $M $M $M $M $M $M $M $M $M $M", "lindex l1 $M", "lset l1 $M x", "lset l1 -$M y",
	"linsert l1 before $M new", "linsert l1 after $M new", "lrem l1 0 $M", "lrem l1 -3 new", "lrange l1 $M $M", "lpop l1 $n", "rpop l1 $n",
	"ltrim l1 70 -3", "ltrim l1 1 -2", "lpos l1 $M rank -1", "lpos l1 $M count 0", "rpop l1 90"}

// largeWord stands for 0 to 799 as $M.
func largeWord(r *rand.Rand, word string) string {
	return strings.ReplaceAll(word, "$M", strconv.Itoa(r.IntN(800)))
}

// TestLargeCollectionsLikeRedis is TestCollectionsLikeRedis with collections that
// are no longer small.
func TestLargeCollectionsLikeRedis(t *testing.T) {
	steps := 3000
	if testing.Short() {
		steps = 500
	}
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			o := startOracle(t, protocol)
			x := newComparison(t, o, protocol, o.version(t))
			x.checkEvery = 50
			r := rand.New(rand.NewPCG(5, uint64(protocol)))
			g := &grammar{r: r, keys: []string{"h1"}}
			largest := map[string]int{}
			for step := range steps {
				if step%300 == 0 {
					x.refill(r)
				}
				words := strings.Fields(largeTemplates[r.IntN(len(largeTemplates))])
				for i := range words {
					words[i] = largeWord(r, words[i])
				}
				x.compare(g.expand(words))
				for key, length := range map[string]string{"h1": "HLEN", "s1": "SCARD", "l1": "LLEN", "z1": "ZCARD"} {
					n, _ := strconv.Atoi(readable(x.raw(length, key)))
					largest[key] = max(largest[key], n)
				}
			}
			for key, n := range largest {
				if n < few+deleteOneByOne {
					t.Errorf("%s never had more than %d elements", key, n)
				}
			}
		})
	}
}

// refill makes each collection large again.
func (x *comparison) refill(r *rand.Rand) {
	fill := map[string][]string{"h1": {"HSET", "h1"}, "s1": {"SADD", "s1"}, "s2": {"SADD", "s2"}, "z1": {"ZADD", "z1"}, "l1": {"RPUSH", "l1"}}
	for _, key := range []string{"h1", "s1", "s2", "z1", "l1"} {
		for range 600 { // an even number, for fields and scores
			fill[key] = append(fill[key], strconv.Itoa(r.IntN(800)))
		}
		x.compare(fill[key])
	}
}

// TestRandomElementsAreFair: each of many elements is chosen about as often as it
// should, few of them exactly evenly.
func TestRandomElementsAreFair(t *testing.T) {
	for _, test := range []struct {
		n        int
		low, top float64 // bounds of how often one is chosen, as a share of the mean
	}{{5, 0.8, 1.2}, {128, 0.6, 1.5}, {1000, 0.2, 3}} {
		l := newLab()
		l.bound = math.MaxInt64 // a client's would be a read
		for i := range test.n {
			l.do("SADD", "s", strconv.Itoa(i))
		}
		const each = 200
		chosen := map[string]int{}
		for _, member := range bulks(l.raw("SRANDMEMBER", "s", strconv.Itoa(-each*test.n))) {
			chosen[member]++
		}
		least, most := math.MaxInt, 0
		for _, n := range chosen {
			least, most = min(least, n), max(most, n)
		}
		if len(chosen) != test.n || float64(least) < test.low*each || float64(most) > test.top*each {
			t.Errorf("of %d, %d were chosen, %d to %d times instead of %d", test.n, len(chosen), least, most, each)
		}
	}
}

// TestDistinctElementsAreFair: so is a choice of several different ones.
func TestDistinctElementsAreFair(t *testing.T) {
	l := newLab()
	l.line("SADD s a b c d e")
	chosen := map[string]int{}
	for range 2000 {
		for _, member := range bulks(l.raw("SRANDMEMBER", "s", "2")) {
			chosen[member]++
		}
	}
	for member, n := range chosen {
		if n < 700 || n > 900 {
			t.Errorf("%s was chosen %d times instead of 800", member, n)
		}
	}
}

// TestExpiredElementsDoNotShowThrough: a key that expired, but waits to be
// deleted, is taken for missing, and what is made anew in its place is empty.
func TestExpiredElementsDoNotShowThrough(t *testing.T) {
	for _, test := range []struct{ old, create, ask, want string }{
		{"HSET k a 1 b 2", "HSET k c 3", "HGETALL k", `{"c": "3"}`},
		{"HSET k a 1 b 2", "HINCRBY k a 5", "HGETALL k", `{"a": "5"}`},
		{"HSET k a 1 b 2", "HSETNX k a 5", "HGETALL k", `{"a": "5"}`},
		{"RPUSH k a b", "LPUSH k c", "LRANGE k 0 -1", `["c"]`},
		{"RPUSH k a b", "RPUSHX k c", "LRANGE k 0 -1", `[]`},
		{"RPUSH k a b", "SADD k c", "SMEMBERS k", `<"c">`},
		{"SADD k a b", "SADD k a", "SMEMBERS k", `<"a">`},
		{"SADD k a b", "SUNIONSTORE k other", "SMEMBERS k", `<"x">`},
		{"ZADD k 1 a 2 b", "ZADD k 3 b", "ZRANGE k 0 -1 WITHSCORES", `[["b" ,3]]`},
		{"ZADD k 1 a 2 b", "ZINCRBY k 3 b", "ZRANGE k 0 -1 WITHSCORES", `[["b" ,3]]`},
		{"ZADD k 1 a 2 b", "ZUNIONSTORE k 1 other", "ZRANGE k 0 -1", `["x"]`},
	} {
		l := newLab()
		l.do("SADD", "other", "x")
		for i := range maxExpiredPerEntry { // these go first
			l.do("SET", fmt.Sprint("before", i), "v", "PXAT", "1000001")
		}
		l.line(test.old)
		l.line("PEXPIREAT k 1000002")
		l.time = flotilla.Millis(1_000_003)
		replies := l.entry(Encode(nil, toBytes(splitWords("EXISTS k"))), Encode(nil, toBytes(splitWords(test.create))),
			Encode(nil, toBytes(splitWords(test.ask))))
		if readable(replies[0]) != "0" {
			t.Fatalf("%s: the expired key is still there", test.old)
		}
		if got := readable(replies[2]); got != test.want {
			t.Errorf("%s, expired, %s: %s", test.old, test.create, got)
		}
		if err := l.check(); err != nil {
			t.Error(err)
		}
		if err := l.checkElements(); err != nil {
			t.Error(err)
		}
	}
}

// TestScanVisitsWhatStays: whatever comes and goes meanwhile, a scan by pages
// visits each element that is there from beginning to end.
func TestScanVisitsWhatStays(t *testing.T) {
	l, r := newLab(), rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		l.do("SADD", "s", fmt.Sprint("stays", i), fmt.Sprint("goes", i))
	}
	seen, pages := map[string]bool{}, 0
	for cursor := "0"; pages == 0 || cursor != "0"; pages++ {
		items := bulks(l.raw("SSCAN", "s", cursor, "COUNT", "20"))
		cursor = items[0]
		for _, member := range items[1:] {
			seen[member] = true
		}
		for range 10 {
			l.do("SREM", "s", fmt.Sprint("goes", r.IntN(1000)))
			l.do("SADD", "s", fmt.Sprint("comes", r.IntN(1000)))
		}
	}
	for i := range 1000 {
		if !seen[fmt.Sprint("stays", i)] {
			t.Fatalf("stays%d was not visited", i)
		}
	}
	if pages < 50 {
		t.Fatalf("%d pages of 20 cannot hold 1000 members", pages)
	}
}

// TestMembersHaveALimit: what would be too long for a key of the state is refused.
func TestMembersHaveALimit(t *testing.T) {
	l, long := newLab(), strings.Repeat("x", MaxKeyBytes+1)
	for _, args := range [][]string{{"HSET", "k", "a", "1", long, "1"}, {"HSETNX", "k", long, "1"}, {"HINCRBY", "k", long, "1"},
		{"HINCRBYFLOAT", "k", long, "1"}, {"SADD", "k", "a", long}, {"ZADD", "k", "1", "a", "1", long}, {"ZINCRBY", "k", "1", long}} {
		if got := l.do(args...); got != errMemberTooLong {
			t.Errorf("%s: %s", args[0], got)
		}
	}
	if got := l.do("HSET", "k", long[1:], long); got != "1" {
		t.Errorf("a field of the greatest length: %s", got)
	}
	if got := l.do("HGET", "k", long); got != "nil" {
		t.Errorf("reading a field that can not be: %s", got)
	}
}

// FuzzRanges: no text makes the parsers of range bounds panic, and what they
// accept is consistent.
func FuzzRanges(f *testing.F) {
	for _, s := range []string{"", "(", "1", "(1.5", "-inf", "+", "-", "[a", "(a", "nan", " 1", "0x1p", "1e999", "1_0"} {
		f.Add([]byte(s), []byte("x"))
	}
	f.Fuzz(func(t *testing.T, bound, member []byte) {
		if score, isOpen, ok := parseScoreBound(bound); ok {
			if math.IsNaN(score) || isOpen != (len(bound) > 0 && bound[0] == '(') {
				t.Fatalf("%q gave %v, %v", bound, score, isOpen)
			}
			if r, ok := parseScoreRange(bound, bound); !ok || isOpen != (r.from > r.to) {
				t.Fatalf("from %q to %q: %v", bound, bound, r)
			}
		}
		if r, ok := parseLexRange(bound, bound); ok {
			isIn := r.isAboveMin(member) && r.isBelowMax(member)
			if isIn && (r.isEmpty() || string(member) != string(r.min.value)) {
				t.Fatalf("%q is in the range from %q to %q", member, bound, bound)
			}
		}
		if x, ok := parseLongDouble(bound); ok {
			if sum, ok := addLongDouble(x, x); ok {
				if text := appendLongDouble(nil, sum); len(text) > 5000 {
					t.Fatalf("%q printed with %d bytes", bound, len(text))
				}
			}
		}
	})
}
