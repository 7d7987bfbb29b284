package bench

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadReply(t *testing.T) {
	for _, c := range []struct{ in, refusal, err string }{
		{"+OK\r\n", "", ""},
		{":-12\r\n", "", ""},
		{"-ERR no\r\n", "ERR no", ""},
		{"$5\r\nhello\r\n", "", ""},
		{"$0\r\n\r\n", "", ""},
		{"$-1\r\n", "", ""},
		{"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "", ""},
		{"*-1\r\n", "", ""},
		{"%1\r\n+a\r\n,1.5\r\n", "", ""},
		{"~1\r\n#t\r\n", "", ""},
		{"_\r\n", "", ""},
		{"!9\r\nBUSY wait\r\n", "BUSY", ""},
		{"-\r\n", "", "protocol"},
		{"hello\r\n", "", "protocol"},
		{"$99999999999999999999\r\n", "", "protocol"},
		{"$-2\r\n", "", "protocol"},
		{"*2000000\r\n", "", "protocol"},
		{"+OK\n", "", "protocol"},
		{strings.Repeat("*1\r\n", 20) + ":1\r\n", "", "protocol"},
		{"+" + strings.Repeat("x", readBuffer), "", "buffer full"},
		{"$5\r\nhel", "", "EOF"},
		{"*2\r\n:1\r\n", "", "EOF"},
	} {
		r := bufio.NewReaderSize(strings.NewReader(c.in), readBuffer)
		refusal, err := readReply(r, 0)
		if firstWord(refusal) != firstWord(c.refusal) || (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%.40q: %q, %v", c.in, refusal, err)
		}
		if rest, _ := io.ReadAll(r); c.err == "" && len(rest) > 0 {
			t.Errorf("%.40q: left %q", c.in, rest)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("*2\r\n$1\r\na\r\n%1\r\n+a\r\n-ERR x y\r\n")
	f.Add("!3\r\nabc\r\n_\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		r := bufio.NewReader(strings.NewReader(in))
		for {
			refusal, err := readReply(r, 0)
			if err != nil {
				return // and it returned, without a panic
			}
			if strings.ContainsAny(firstWord(refusal), " \r\n") {
				t.Errorf("first word %q", firstWord(refusal))
			}
		}
	})
}

func TestHistogramIsCloseEnough(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 1))
	var h, half histogram
	var all []time.Duration
	for i := range 100_000 {
		d := time.Duration(chance.ExpFloat64() * 1e6)
		all = append(all, d)
		if i%2 == 0 {
			h.add(d)
		} else {
			half.add(d)
		}
	}
	h.merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		got := h.quantile(q)
		if off := float64(got-want) / float64(max(want, 64)); off < -0.035 || off > 0.035 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	var extreme histogram
	for _, d := range []time.Duration{-1, 0, 1, 63, 64, 1<<63 - 1} {
		extreme.add(d)
	}
	if extreme.quantile(1) != 1<<63-1 || extreme.quantile(0) != 0 || new(histogram).quantile(0.5) != 0 {
		t.Error("the ends are wrong")
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	last := -1
	for ns := uint64(0); ns < 1<<16; ns++ {
		b := bucketOf(ns)
		if b < last || b > last+1 {
			t.Fatalf("%d ns is in bucket %d, the one before in %d", ns, b, last)
		}
		last = b
		if m := uint64(middleOf(b)); bucketOf(m) != b {
			t.Fatalf("the middle of bucket %d is %d, which is in %d", b, m, bucketOf(m))
		}
	}
}

func TestSpent(t *testing.T) {
	for _, c := range []struct {
		before, after, want time.Duration
		ok                  bool
	}{{1, 5, 4, true}, {unknown, 5, 0, false}, {5, unknown, 0, false}, {5, 1, 0, false}} {
		if got, ok := spent(c.before, c.after); got != c.want || ok != c.ok {
			t.Errorf("%+v: %v, %v", c, got, ok)
		}
	}
	if errors.Is(errReply, io.EOF) {
		t.Error("a bad reply is no end of file")
	}
}
