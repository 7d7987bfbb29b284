package store

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// parseInt reads a 64-bit integer as Redis does: no spaces, no plus, no leading
// zero, no "-0".
func parseInt(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	digits, isNegative := b, b[0] == '-'
	if isNegative {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && (len(digits) > 1 || isNegative) {
		return 0, false
	}
	var u uint64
	for _, d := range digits {
		if d < '0' || d > '9' || u > math.MaxUint64/10 {
			return 0, false
		}
		next := u*10 + uint64(d-'0')
		if next < u*10 {
			return 0, false
		}
		u = next
	}
	switch {
	case isNegative && u <= 1<<63:
		return -int64(u), true
	case !isNegative && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}

// parseUint reads a cursor as strtoul does: a sign is allowed, -1 is the greatest
// number, and nothing is 0.
func parseUint(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	isNegative := len(b) > 0 && b[0] == '-'
	if isNegative || len(b) > 0 && b[0] == '+' {
		b = b[1:]
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if isNegative {
		n = -n
	}
	return n, err == nil
}

// parseFloat reads a double as Redis does by strtod: inf and hexadecimal are
// allowed, nan, spaces and what does not fit are not.
func parseFloat(b []byte) (float64, bool) {
	if len(b) == 0 || len(b) > 512 {
		return 0, false
	}
	s := string(b)
	if strings.ContainsAny(s, "_ ") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && isHex(s) && !strings.ContainsAny(s, "pP") {
		f, err = strconv.ParseFloat(s+"p0", 64)
	}
	if err != nil || math.IsNaN(f) {
		return 0, false
	}
	if f == 0 && !isZero(s) {
		return 0, false // too small
	}
	return f, true
}

func isHex(s string) bool { return strings.Contains(s, "0x") || strings.Contains(s, "0X") }

// isZero says whether a number in text is written as zero.
func isZero(s string) bool {
	if isHex(s) {
		return true
	}
	for _, r := range s {
		if r == 'e' || r == 'E' {
			break
		}
		if '1' <= r && r <= '9' {
			return false
		}
	}
	return true
}

// longDoubleBits is the mantissa of the long double in which Redis on x86 adds
// for INCRBYFLOAT and HINCRBYFLOAT; in it 0.1 + 0.2 still prints as 0.3.
const longDoubleBits = 64

// The binary exponents of the largest and the smallest long double, and a bound
// on those in text, so that nobody makes us raise ten to the billionth power.
const (
	longDoubleMaxExponent = 16384
	longDoubleMinExponent = -16445
	maxTextExponent       = 20000
)

// parseLongDouble reads a number for an INCRBYFLOAT. ok is false for what is not
// a number; infinite is then looked at by addLongDouble.
func parseLongDouble(b []byte) (x *big.Float, ok bool) {
	if len(b) == 0 || len(b) > 256 || bytes.ContainsAny(b, "_ ") {
		return nil, false
	}
	s := string(b)
	exponentMarks := "eE"
	if isHex(s) {
		exponentMarks = "pP"
		if !strings.ContainsAny(s, exponentMarks) {
			s += "p0"
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(f):
		return nil, false
	case err == nil && math.IsInf(f, 0):
		return new(big.Float).SetPrec(longDoubleBits).SetInf(f < 0), true
	}
	if at := strings.LastIndexAny(s, exponentMarks); at >= 0 {
		if n, err := strconv.Atoi(s[at+1:]); err != nil || max(n, -n) > maxTextExponent {
			return nil, false
		}
	}
	x, _, err = big.ParseFloat(s, 0, longDoubleBits, big.ToNearestEven)
	if err != nil || x.MantExp(nil) > longDoubleMaxExponent || x.MantExp(nil) < longDoubleMinExponent {
		return nil, false
	}
	return x, true
}

// addLongDouble adds, and returns false if the sum is no finite number.
func addLongDouble(a, b *big.Float) (*big.Float, bool) {
	if a.IsInf() || b.IsInf() {
		return nil, false
	}
	sum := new(big.Float).SetPrec(longDoubleBits).Add(a, b)
	return sum, sum.MantExp(nil) <= longDoubleMaxExponent
}

// appendLongDouble formats with 17 digits behind the point, less trailing zeros.
func appendLongDouble(dst []byte, x *big.Float) []byte {
	start := len(dst)
	dst = x.Append(dst, 'f', 17)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	if string(dst[start:]) == "-0" {
		dst = append(dst[:start], '0')
	}
	return dst
}

// upper returns an ASCII text in upper case.
func upper(s string) string { return strings.ToUpper(s) }
