package store

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMatchGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"**", "abc", true}, {"a*c", "abcbc", true}, {"a*c", "abcb", false},
		{"?", "", false}, {"h?llo", "hello", true}, {"h[ae]llo", "hallo", true}, {"h[^e]llo", "hello", false},
		{"h[a-c]llo", "hbllo", true}, {"h[c-a]llo", "hbllo", true}, {"[a-]", "-", false}, {"[a-]", "^", true}, {"[]", "]", false}, {"[", "[", false},
		{"[a", "a", true}, {"\\*", "*", true}, {"\\*", "a", false}, {"\\", "\\", true}, {"[\\]]", "]", true}, {"a\\", "a\\", true},
		{"*a*b*", "xxaxxbxx", true}, {"*\xff", "\x00\xff", true},
	} {
		if got := matchGlob([]byte(c.pattern), []byte(c.s)); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.s, got)
		}
	}
}

// TestMatchGlobIsBounded has the pattern that makes recursive matchers explode.
func TestMatchGlobIsBounded(t *testing.T) {
	start := time.Now()
	if matchGlob([]byte(strings.Repeat("a*", 500)+"b"), bytes.Repeat([]byte("a"), 50000)) {
		t.Error("matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// matchPlainly is the obvious recursive matcher.
func matchPlainly(pattern, s []byte) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	if pattern[0] == '*' {
		return matchPlainly(pattern[1:], s) || len(s) > 0 && matchPlainly(pattern, s[1:])
	}
	if len(s) == 0 {
		return false
	}
	ok, size := matchOne(pattern, s[0])
	return ok && matchPlainly(pattern[size:], s[1:])
}

func FuzzMatchGlob(f *testing.F) {
	f.Add([]byte("a*[b-d]?*\\*"), []byte("axxcy*"))
	f.Add([]byte("[^a"), []byte("b"))
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		if len(pattern) > 12 || len(s) > 12 {
			matchGlob(pattern, s)
			return
		}
		if got := matchGlob(pattern, s); got != matchPlainly(pattern, s) {
			t.Errorf("%q matches %q: %v", pattern, s, got)
		}
	})
}
