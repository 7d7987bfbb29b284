package sim

import (
	"strconv"
	"strings"
)

// How a machine's replies are read, and how long values are made of short names.

// answer is a reply in the machine's notation, read.
type answer struct {
	kind  byte   // its first letter: '$', ':', '*', '~', '_' ...; 0 if there is none
	text  string // of a string, a status or a number
	items []answer
}

func (a answer) number() int64 {
	n, _ := strconv.ParseInt(a.text, 10, 64)
	return n
}

// readAnswer reads one reply, and returns what is behind it.
func readAnswer(reply string) (a answer, rest string) {
	head, rest, ok := strings.Cut(reply, "\r\n")
	if !ok || head == "" {
		return a, ""
	}
	a.kind, a.text = head[0], head[1:]
	switch a.kind {
	case '$':
		length := min(int(a.number()), len(rest))
		a.text, rest = rest[:length], strings.TrimPrefix(rest[length:], "\r\n")
	case '*', '~':
		a.items = make([]answer, a.number())
		for i := range a.items {
			a.items[i], rest = readAnswer(rest)
		}
	}
	return a, rest
}

// lengthen makes a value of some bytes from a name, and shorten the name from it:
// histories keep names only. Of a value that nobody made shorten makes a name that
// nobody has.
func lengthen(name string, size int) string {
	if size <= len(name) {
		return name
	}
	return name + strings.Repeat(".", size-len(name))
}

func shorten(value string) string { return strings.TrimRight(value, ".") }

func bytesOf(words ...string) [][]byte {
	all := make([][]byte, len(words))
	for i, word := range words {
		all[i] = []byte(word)
	}
	return all
}
