package store

// matchGlob says whether s matches a Redis pattern: * ? [abc] [^a-z] and \x. It
// goes back only to the last star, which is enough, so that its work is bounded
// by len(pattern) * len(s).
func matchGlob(pattern, s []byte) bool {
	p, i := 0, 0
	star, starAt := -1, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, starAt = p, i
			p++
			continue
		}
		if p < len(pattern) {
			if ok, size := matchOne(pattern[p:], s[i]); ok {
				p += size
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		starAt++
		p, i = star+1, starAt
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne compares the first item of a non-empty pattern, not a star, with b,
// and returns the item's length.
func matchOne(pattern []byte, b byte) (ok bool, size int) {
	switch pattern[0] {
	case '?':
		return true, 1
	case '[':
		return matchSet(pattern, b)
	case '\\':
		if len(pattern) >= 2 {
			return pattern[1] == b, 2
		}
	}
	return pattern[0] == b, 1
}

// matchSet compares [...] with b. A set without its ']' ends with the pattern.
func matchSet(pattern []byte, b byte) (ok bool, size int) {
	i, isNot := 1, false
	if i < len(pattern) && pattern[i] == '^' {
		i, isNot = 2, true
	}
	for i < len(pattern) && pattern[i] != ']' {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			ok = ok || pattern[i] == b
		case i+2 < len(pattern) && pattern[i+1] == '-':
			low, high := min(pattern[i], pattern[i+2]), max(pattern[i], pattern[i+2])
			ok = ok || low <= b && b <= high
			i += 2
		default:
			ok = ok || pattern[i] == b
		}
		i++
	}
	return ok != isNot, min(i+1, len(pattern))
}

// allKeys says whether a pattern matches everything.
func allKeys(pattern []byte) bool { return len(pattern) == 1 && pattern[0] == '*' }
