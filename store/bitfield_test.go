package store

import (
	"testing"
)

// TestBitfieldExtremes compares every kind of field with Redis where numbers
// are about to overflow.
func TestBitfieldExtremes(t *testing.T) {
	o, l := startOracle(t, 2), newLab()
	values := []string{"-9223372036854775808", "-9223372036854775807", "-4611686018427387905", "-4611686018427387904",
		"-129", "-128", "-3", "-2", "-1", "0", "1", "2", "3", "127", "128", "4611686018427387903", "4611686018427387904",
		"9223372036854775806", "9223372036854775807"}
	failures := 0
	for _, field := range []string{"u1", "u2", "u8", "u62", "u63", "i1", "i2", "i8", "i62", "i63", "i64"} {
		for _, overflow := range []string{"WRAP", "SAT", "FAIL"} {
			for _, verb := range []string{"SET", "INCRBY"} {
				for _, first := range values {
					for _, second := range values {
						args := []string{"BITFIELD", "f", "SET", field, "0", first, "OVERFLOW", overflow, verb, field, "0", second,
							"GET", field, "0"}
						ours, theirs := string(RenderRESP2(nil, l.raw(args...))), string(o.ask(t, args...))
						if ours != theirs && failures < 30 {
							failures++
							t.Errorf("%s %s: first %s, then %s %s: ours %q, Redis %q", overflow, field, first, verb, second, ours, theirs)
						}
					}
				}
			}
		}
	}
}
