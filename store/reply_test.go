package store

import (
	"math"
	"testing"
)

// TestRender has every notation, nested, in both protocols.
func TestRender(t *testing.T) {
	for _, c := range []struct{ reply, resp2, resp3 string }{
		{"+OK\r\n", "+OK\r\n", "+OK\r\n"},
		{"$3\r\n^!_\r\n", "$3\r\n^!_\r\n", "$3\r\n^!_\r\n"},
		{"_\r\n", "$-1\r\n", "_\r\n"},
		{"!_\r\n", "*-1\r\n", "_\r\n"},
		{"#t\r\n", ":1\r\n", "#t\r\n"},
		{"#f\r\n", ":0\r\n", "#f\r\n"},
		{",1.5\r\n", "$3\r\n1.5\r\n", ",1.5\r\n"},
		{"(123\r\n", "$3\r\n123\r\n", "(123\r\n"},
		{"=7\r\ntxt:a\nb\r\n", "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"},
		{"~1\r\n$1\r\na\r\n", "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"},
		{"%1\r\n$1\r\na\r\n:1\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n$1\r\na\r\n:1\r\n"},
		{"^2\r\n$1\r\na\r\n,1\r\n$1\r\nb\r\n,2\r\n", "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n",
			"*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n"},
		{"*3\r\n^1\r\n*1\r\n:1\r\n_\r\n!_\r\n*0\r\n", "*3\r\n*2\r\n*1\r\n:1\r\n$-1\r\n*-1\r\n*0\r\n",
			"*3\r\n*1\r\n*2\r\n*1\r\n:1\r\n_\r\n_\r\n*0\r\n"},
		{"*2\r\n$2\r\n\r\n\r\n^0\r\n", "*2\r\n$2\r\n\r\n\r\n*0\r\n", "*2\r\n$2\r\n\r\n\r\n*0\r\n"},
	} {
		if got := string(RenderRESP2(nil, []byte(c.reply))); got != c.resp2 {
			t.Errorf("%q in RESP2: %q, not %q", c.reply, got, c.resp2)
		}
		if got := string(RenderRESP3(nil, []byte(c.reply))); got != c.resp3 {
			t.Errorf("%q in RESP3: %q, not %q", c.reply, got, c.resp3)
		}
	}
}

// FuzzRender takes any bytes for a reply.
func FuzzRender(f *testing.F) {
	f.Add([]byte("*2\r\n^1\r\n:1\r\n:2\r\n$1\r\na\r\n"))
	f.Add([]byte("*1\r\n$99\r\na\r\n"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		RenderRESP2(nil, reply)
		RenderRESP3(nil, reply)
	})
}

// TestAppendDouble has the layouts of Redis 7.2.
func TestAppendDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "-0", 1: "1", -3: "-3", 0.1: "0.1", 1.5: "1.5", 3.14159: "3.14159", 1e17: "100000000000000000",
		1e18: "1000000000000000000", 1e19: "1e+19", 1e300: "1e+300", 1.5e-7: "1.5e-7", 0.00001: "0.00001", 1e-7: "1e-7",
		1.7976931348623157e308: "1.7976931348623157e+308", 5e-324: "5e-324", 123456789.125: "123456789.125", -2.5e-5: "-0.000025",
		math.Inf(1): "inf", math.Inf(-1): "-inf", 0.30000000000000004: "0.30000000000000004",
	} {
		if got := string(appendDouble(nil, f)); got != want {
			t.Errorf("%v is written %s, not %s", f, got, want)
		}
		if back, ok := parseFloat([]byte(want)); !ok || back != f {
			t.Errorf("%s is read as %v", want, back)
		}
	}
}

func TestParseInt(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "-1": -1, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64} {
		if got, ok := parseInt([]byte(text)); !ok || got != want {
			t.Errorf("%s is read as %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "+1", " 1", "1 ", "01", "-0", "00", "1.0", "0x1", "9223372036854775808", "-9223372036854775809",
		"99999999999999999999", "18446744073709551617", "184467440737095516160"} {
		if got, ok := parseInt([]byte(text)); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func FuzzParseNumbers(f *testing.F) {
	for _, text := range []string{"1", "-0x1p-3", "1e400", "inf", "nan", "0.1", "1e-400", "+.5", "1_0"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, ok := parseInt(text); ok && string(appendDouble(nil, float64(n))) != string(text) && n > -1<<53 && n < 1<<53 {
			t.Errorf("%q is read as %d", text, n)
		}
		if x, ok := parseFloat(text); ok && x != x {
			t.Errorf("%q is no number", text)
		}
		if x, ok := parseLongDouble(text); ok {
			if sum, ok := addLongDouble(x, x); ok {
				appendLongDouble(nil, sum)
			}
		}
	})
}
