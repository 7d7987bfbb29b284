package store

import (
	"slices"
	"strings"
	"testing"
)

func TestTableIsComplete(t *testing.T) {
	for _, c := range Commands() {
		if c.Summary == "" || c.Group == "" || c.Since == "" || c.Arity == 0 || c.Name != strings.ToLower(c.Name) {
			t.Errorf("%s lacks something: %+v", c.Name, c)
		}
		isServed := c.run != nil || c.Flags&Door != 0 || c.IsContainer()
		if !isServed || c.run != nil && c.Flags&Door != 0 {
			t.Errorf("%s: nobody, or both machine and door serve it", c.Name)
		}
		if c.run != nil && c.Flags&(Write|ReadOnly) == 0 && !strings.HasSuffix(c.Name, "|help") {
			t.Errorf("%s neither reads nor writes", c.Name)
		}
		if c.FirstKey > 0 && c.Step == 0 {
			t.Errorf("%s has keys and no step", c.Name)
		}
		if len(c.Name) > longestName {
			t.Errorf("%s has too long a name", c.Name)
		}
		if Lookup([]byte(strings.ToUpper(c.Name))) != c {
			t.Errorf("%s is not found, or declared twice", c.Name)
		}
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	args := toBytes([]string{"CONFIG", "GeT", "x"})
	if n := testing.AllocsPerRun(100, func() {
		if Find(args).Name != "config|get" || Lookup([]byte("NOPE")) != nil {
			t.Fatal("the wrong command")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKeys(t *testing.T) {
	for line, want := range map[string]string{
		"GET k":                              "k",
		"MSET a 1 b 2":                       "a b",
		"DEL a b c":                          "a b c",
		"BITOP AND d a b":                    "d a b",
		"PING":                               "",
		"OBJECT ENCODING k":                  "k",
		"ZUNIONSTORE d 2 a b WEIGHTS 1 2":    "d a b",
		"LMPOP 2 a b LEFT":                   "a b",
		"LMPOP 3 a b LEFT":                   "a b LEFT",
		"BLMPOP 0 2 a b LEFT":                "a b",
		"LMPOP 0 a":                          "!",
		"LMPOP 9223372036854775807 a":        "!",
		"LMPOP x a":                          "!",
		"SORT k BY p* LIMIT 0 1 STORE d":     "k d",
		"SORT k GET STORE LIMIT STORE STORE": "k",
		"BLPOP a b 0":                        "a b",
		"GET":                                "!",
	} {
		args := toBytes(strings.Fields(line))
		keys, err := Find(args).Keys(args)
		got := string(slices.Concat(joinSpaced(keys)...))
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: keys are %q, not %q", line, got, want)
		}
	}
}

func joinSpaced(words [][]byte) (out [][]byte) {
	for i, word := range words {
		if i > 0 {
			out = append(out, []byte(" "))
		}
		out = append(out, word)
	}
	return out
}
