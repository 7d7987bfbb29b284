package store

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// TestLargeCollectionsMove renames, copies and deletes collections that are more
// than one portion of elements and deleted as a range.
func TestLargeCollectionsMove(t *testing.T) {
	for _, add := range []string{"RPUSH", "SADD", "HSET", "ZADD"} {
		l := newLab()
		args := []string{add, "from"}
		for i := range 2000 {
			args = append(args, strconv.Itoa(i))
		}
		l.do(args...)
		l.do("SADD", "to", "old")
		before := l.do("SORT", "from", "ALPHA")
		if add == "HSET" {
			before = l.do("HGETALL", "from")
		}
		for _, step := range []string{"RENAME from to", "COPY to back", "DEL to"} {
			l.line(step)
		}
		after := l.do("SORT", "back", "ALPHA")
		if add == "HSET" {
			after = l.do("HGETALL", "back")
		}
		if after != before || l.line("EXISTS from to back") != "1" {
			t.Errorf("%s: what was moved is not what it was", add)
		}
		l.line("SET back x")
		if n := l.state.pairs.Len(); n != 4 { // the record, the counters, and that two keys went
			t.Errorf("%s: %d pairs are left", add, n)
		}
	}
}

// TestHyperLogLogError holds the promise of a standard error of 0.81 %.
func TestHyperLogLogError(t *testing.T) {
	var r registers
	for n := 1; n <= 200000; n++ {
		index, run := hllPosition(fmt.Appendf(nil, "element-%d", n))
		r[index] = max(r[index], run)
		if n%20000 == 0 || n == 100 || n == 1000 {
			if off := math.Abs(float64(r.estimate())/float64(n) - 1); off > 0.02 {
				t.Errorf("%d elements are counted as %d", n, r.estimate())
			}
		}
	}
}

// TestHyperLogLogEncodings packs and unpacks sketches of all fillings.
func TestHyperLogLogEncodings(t *testing.T) {
	var r registers
	for n := range 40000 {
		index, run := hllPosition(strconv.AppendInt(nil, int64(n), 10))
		r[index] = max(r[index], run)
		if n%997 > 0 {
			continue
		}
		for _, dense := range []bool{false, true} {
			b := r.pack(dense)
			c := call{}
			var back registers
			isDense, ok := c.unpack(&item{kind: kindString, body: b}, &back)
			if !ok || back != r || dense && !isDense || len(b) > hllDenseSize {
				t.Fatalf("after %d elements, %d bytes, dense %v: not what it was", n, len(b), dense)
			}
		}
	}
}

// TestRandomKeyIsFair expects each of a hundred keys about as often.
func TestRandomKeyIsFair(t *testing.T) {
	l := newLab()
	for i := range 100 {
		l.entry(Encode(nil, toBytes([]string{"SET", fmt.Sprint("k", i), "v"})))
	}
	l.entry(Encode(nil, toBytes(strings.Fields("SET expired v PXAT 5"))))
	counts := map[string]int{}
	for seed := range 10000 {
		counts[readable(l.read(EncodeSeeded(nil, uint64(seed+1), toBytes([]string{"RANDOMKEY"}))))]++
	}
	for key, n := range counts {
		if n < 50 || n > 200 {
			t.Errorf("%s was chosen %d times", key, n)
		}
	}
	if len(counts) != 100 {
		t.Errorf("%d keys were chosen", len(counts))
	}
}

// TestEqualHashesShareAPage looks for keys, and fields, whose hashes are equal,
// and scans one at a time: a page must not end between them.
func TestEqualHashesShareAPage(t *testing.T) {
	seen := map[uint32]string{}
	var a, b string
	for i := 0; b == ""; i++ {
		key := fmt.Sprint("{t}", i)
		if other, ok := seen[hash32([]byte(key))]; ok {
			a, b = other, key
		}
		seen[hash32([]byte(key))] = key
	}
	l := newLab()
	l.do("MSET", a, "1", b, "1", "{t}x", "1", "{t}y", "1")
	l.do("HSET", "h", a, "1", b, "1", "x", "1", "y", "1")
	for _, scan := range [][]string{{"SCAN"}, {"HSCAN", "h"}} {
		for cursor, pages := "0", 0; ; pages++ {
			if pages > 10 {
				t.Fatal("the scan does not end")
			}
			reply := l.do(append(scan, cursor, "COUNT", "1")...)
			if strings.Contains(reply, strconv.Quote(a)) != strings.Contains(reply, strconv.Quote(b)) {
				t.Errorf("%s is not on one page with %s: %s", a, b, reply)
			}
			cursor, _, _ = strings.Cut(strings.TrimPrefix(reply, "["), " ")
			if cursor = strings.Trim(cursor, `"`); cursor == "0" {
				break
			}
		}
	}
}
