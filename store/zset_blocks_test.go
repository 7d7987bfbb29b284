package store

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// ranked is a sorted set as a sorted slice: what the machine is compared with.
type ranked []scored

func byPlace(a, b scored) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(string(a.member), string(b.member)))
}

func (r ranked) find(member string) int {
	return slices.IndexFunc(r, func(m scored) bool { return string(m.member) == member })
}

func (r *ranked) set(member string, score float64) {
	if i := r.find(member); i >= 0 {
		*r = slices.Delete(*r, i, i+1)
	}
	m := scored{[]byte(member), score}
	i, _ := slices.BinarySearchFunc(*r, m, byPlace)
	*r = slices.Insert(*r, i, m)
}

// largeZset is a lab with one sorted set, and the model of it.
type largeZset struct {
	*lab
	t     *testing.T
	r     *rand.Rand
	model ranked
}

// write carries out a command and has no check of the whole state follow.
func (z *largeZset) write(args ...string) string {
	return readable(z.entry(Encode(nil, toBytes(args)))[0])
}

func (z *largeZset) same(what, got, want string) {
	z.t.Helper()
	if got != want {
		z.t.Fatalf("%s: %s instead of %s", what, got, want)
	}
}

func (z *largeZset) ask(args ...string) string {
	return readable(z.read(Encode(nil, toBytes(args))))
}

// change writes something to both. A score has many members or one.
func (z *largeZset) change(growth int) {
	member, kind := "m"+strconv.Itoa(z.r.IntN(9000)), z.r.IntN(100)
	switch {
	case kind < growth:
		score := float64(z.r.IntN([]int{4, 5000}[z.r.IntN(2)]))
		z.write("ZADD", "z", fmt.Sprint(score), member)
		z.model.set(member, score)
	case kind < 98:
		if i := z.model.find(member); i >= 0 {
			z.model = slices.Delete(z.model, i, i+1)
		}
		z.write("ZREM", "z", member)
	case kind < 99:
		n := min(z.r.IntN(20), len(z.model))
		z.write("ZPOPMIN", "z", strconv.Itoa(n))
		z.model = slices.Delete(z.model, 0, n)
	default:
		first := z.r.IntN(len(z.model) + 1)
		behind := min(first+z.r.IntN(30), len(z.model))
		if behind > first {
			z.write("ZREMRANGEBYRANK", "z", strconv.Itoa(first), strconv.Itoa(behind-1))
			z.model = slices.Delete(z.model, first, behind)
		}
	}
}

// look compares ranks, counts and ranges.
func (z *largeZset) look() {
	n := len(z.model)
	z.same("ZCARD", z.ask("ZCARD", "z"), strconv.Itoa(n))
	if n == 0 {
		return
	}
	i := z.r.IntN(n)
	member := string(z.model[i].member)
	z.same("ZRANK", z.ask("ZRANK", "z", member), strconv.Itoa(i))
	z.same("ZREVRANK", z.ask("ZREVRANK", "z", member), strconv.Itoa(n-1-i))
	from, to := float64(z.r.IntN(5000)), float64(z.r.IntN(5000))
	count := 0
	for _, m := range z.model {
		if m.score > from && m.score <= to {
			count++
		}
	}
	z.same("ZCOUNT", z.ask("ZCOUNT", "z", fmt.Sprint("(", from), fmt.Sprint(to)), strconv.Itoa(count))
	behind := min(i+z.r.IntN(20), n)
	want := make([]string, 0, 20)
	for _, m := range z.model[i:behind] {
		want = append(want, strconv.Quote(string(m.member)))
	}
	if behind > i {
		z.same("ZRANGE", z.ask("ZRANGE", "z", strconv.Itoa(i), strconv.Itoa(behind-1)), fmt.Sprint(want))
		slices.Reverse(want)
		z.same("ZREVRANGE", z.ask("ZREVRANGE", "z", strconv.Itoa(n-behind), strconv.Itoa(n-1-i)), fmt.Sprint(want))
	}
}

// TestBlocksCountWhatIsThere has a sorted set of thousands of members change, shrink
// to a few, and grow again.
func TestBlocksCountWhatIsThere(t *testing.T) {
	z := &largeZset{lab: newLab(), t: t, r: rand.New(rand.NewPCG(3, 1))}
	largest, blocks := 0, 0
	for _, growth := range []int{50, 2, 90} {
		if growth == 50 { // a quick start
			args := []string{"ZADD", "z"}
			for i := range 5000 {
				args = append(args, strconv.Itoa(i%977), "m"+strconv.Itoa(i))
				z.model = append(z.model, scored{[]byte(args[len(args)-1]), float64(i % 977)})
			}
			slices.SortFunc(z.model, byPlace)
			z.write(args...)
		}
		for step := range 4000 {
			z.change(growth)
			if step%5 == 0 {
				z.look()
			}
			if step%400 == 0 {
				if err := z.checkElements(); err != nil {
					t.Fatalf("growth %d, step %d: %v", growth, step, err)
				}
			}
			largest = max(largest, len(z.model))
		}
		it := newCall(z.state, nil, 0, 0).load([]byte("z"))
		prefix := it.appendTag(nil, tagBlock)
		for range z.state.Scan(prefix, prefixEnd(prefix)) {
			blocks++
		}
	}
	if largest < 2*blocksFrom || blocks < 8 {
		t.Fatalf("never more than %d members, %d blocks seen", largest, blocks)
	}
}

// TestBlocksOfStoredSets: what is made at once has blocks too, what is moved takes
// them along, and what is deleted leaves none.
func TestBlocksOfStoredSets(t *testing.T) {
	l := newLab()
	args := []string{"ZADD", "z"}
	for i := range 3 * blocksFrom {
		args = append(args, strconv.Itoa(i%7), fmt.Sprintf("m%05d", i*7919%(3*blocksFrom)))
	}
	l.do(args...)
	rank, count := l.line("ZRANK z m00100"), l.line("ZCOUNT z 2 4")
	payload := bulks(l.raw("DUMP", "z"))[0]
	l.do("RESTORE", "restored", "0", payload)
	for _, line := range []string{"ZUNIONSTORE stored 1 z", "ZRANGESTORE ranged z 0 -1", "COPY z copied", "RENAME copied renamed"} {
		l.line(line)
	}
	for _, key := range []string{"restored", "stored", "ranged", "renamed"} {
		if got := l.line("ZRANK " + key + " m00100"); got != rank {
			t.Errorf("%s: rank %s instead of %s", key, got, rank)
		}
		if got := l.line("ZCOUNT " + key + " 2 4"); got != count {
			t.Errorf("%s: count %s instead of %s", key, got, count)
		}
		l.do("ZREMRANGEBYRANK", key, "10", strconv.Itoa(3*blocksFrom-10))
		if err := l.checkElements(); err != nil {
			t.Error(err)
		}
		l.do("ZPOPMAX", key, "100000")
	}
	if got := l.line("EXISTS restored stored ranged renamed"); got != "0" {
		t.Errorf("%s of four emptied sorted sets are left", got)
	}
}

// TestLexCountOfLargeSets: names are counted by blocks where all scores are the same.
func TestLexCountOfLargeSets(t *testing.T) {
	l := newLab()
	args := []string{"ZADD", "z"}
	const n = 2 * blocksFrom
	for i := range n {
		args = append(args, "5", fmt.Sprintf("m%05d", i))
	}
	l.do(args...)
	for bounds, want := range map[string]int{"- +": n, "+ -": 0, "[m00010 [m00019": 10, "(m00010 [m00019": 9, "[m00010 (m00019": 9,
		"(m00010 (m00019": 8, "[m00010 +": n - 10, "- (m02000": 2000, "- [m02000": 2001, "(m03000 [m01000": 0, "[x +": 0, "- (a": 0} {
		if got := l.line("ZLEXCOUNT z " + bounds); got != strconv.Itoa(want) {
			t.Errorf("%s: %s instead of %d", bounds, got, want)
		}
	}
}

// TestBlocksAreJoined: what is left of a large sorted set is in few blocks.
func TestBlocksAreJoined(t *testing.T) {
	l, r := newLab(), rand.New(rand.NewPCG(4, 4))
	args := []string{"ZADD", "z"}
	for i := range 20 * blockSize {
		args = append(args, strconv.Itoa(i), strconv.Itoa(i))
	}
	l.do(args...)
	for i, member := range r.Perm(20*blockSize - 600) {
		l.entry(Encode(nil, toBytes([]string{"ZREM", "z", strconv.Itoa(member)})))
		if i%500 == 0 || i > 20*blockSize-1200 && i%20 == 0 {
			if err := l.checkElements(); err != nil {
				t.Fatalf("after %d were removed: %v", i, err)
			}
		}
	}
	if err := l.checkElements(); err != nil {
		t.Fatal(err)
	}
}
