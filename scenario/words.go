package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flotilla"
)

// Error is what is wrong with one line, or with the plan as a whole (line 0).
type Error struct {
	Line  int
	Wrong string // what was found
	Right string // what would do instead
}

// Error says it as `line 7: there is no action "isolat": did you mean isolate?`.
func (e *Error) Error() string {
	text := e.Wrong + ": " + e.Right
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

// words are those of one line, which are taken one after the other. After the first
// error nothing is taken any more, so that a reader need not look after each word.
type words struct {
	all  []string
	at   int
	form string // of the line, for hints
	err  *Error
}

func newWords(line string) *words { return &words{all: strings.Fields(line)} }

// peek returns the next word; empty at the end.
func (w *words) peek() string {
	if w.err != nil || w.at == len(w.all) {
		return ""
	}
	return w.all[w.at]
}

func (w *words) next() string {
	word := w.peek()
	if word != "" {
		w.at++
	}
	return word
}

// take takes a word, or several with spaces between them, if they are next.
func (w *words) take(phrase string) bool {
	if w.err != nil {
		return false
	}
	parts := strings.Fields(phrase)
	if len(w.all)-w.at < len(parts) {
		return false
	}
	for i, part := range parts {
		if w.all[w.at+i] != part {
			return false
		}
	}
	w.at += len(parts)
	return true
}

// need takes a word that must be next.
func (w *words) need(word string) {
	if !w.take(word) {
		w.unexpected(fmt.Sprintf("%q", word))
	}
}

// rest takes all words that are left.
func (w *words) rest() []string {
	if w.err != nil {
		return nil
	}
	rest := w.all[w.at:]
	w.at = len(w.all)
	return rest
}

func (w *words) fail(wrong, right string) {
	if w.err == nil {
		w.err = &Error{Wrong: shorten(wrong), Right: shorten(right)}
	}
}

// maxToldBytes is how much of an error's text is told: what it quotes may be a whole file.
const maxToldBytes = 500

func shorten(text string) string {
	if len(text) <= maxToldBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxToldBytes], "") + " …"
}

// unexpected fails because something else should be next.
func (w *words) unexpected(wanted string) {
	if w.err != nil {
		return
	}
	found := "the line ends early"
	if w.at < len(w.all) {
		found = fmt.Sprintf("%q is not understood", w.all[w.at])
	}
	if w.at > 0 {
		found += fmt.Sprintf(" after %q", w.all[w.at-1])
	}
	right := "expected " + wanted
	if w.form != "" {
		right += ", as in: " + w.form
	}
	w.fail(found, right)
}

// end fails if words are left.
func (w *words) end() {
	if w.peek() != "" {
		w.fail(fmt.Sprintf("%q is too much after %q", w.peek(), strings.Join(w.all[:w.at], " ")), "the form is: "+w.form)
	}
}

// oneOf takes a word of a list.
func (w *words) oneOf(what string, list []string) string {
	word := w.peek()
	for _, known := range list {
		if word == known {
			return w.next()
		}
	}
	if word == "" {
		w.unexpected(what + " (" + strings.Join(list, ", ") + ")")
		return ""
	}
	w.fail(fmt.Sprintf("there is no %s %q", what, word), suggest(word, list))
	return ""
}

// number takes a whole number.
func (w *words) number(what string, least, most int) int {
	word := w.peek()
	n, ok := parseNumber(word)
	if !ok {
		w.unexpected(what)
		return 0
	}
	if n < least || n > most {
		w.fail(fmt.Sprintf("%s is not %s", word, what), fmt.Sprintf("give %d to %d", least, most))
	}
	w.next()
	return n
}

// duration takes a time such as 20ms or 5s.
func (w *words) duration(what string, least, most flotilla.Millis) flotilla.Millis {
	word := w.peek()
	if word == "" {
		w.unexpected(what + " such as 20ms or 5s")
		return 0
	}
	d, ok := parseDuration(word)
	if !ok {
		w.fail(fmt.Sprintf("%q is no %s", word, what), "write it as 20ms, 5s, 1.5s or 2m")
		return 0
	}
	if d < least || d > most {
		w.fail(fmt.Sprintf("a %s of %s", what, word), fmt.Sprintf("give %s to %s", formatDuration(least), formatDuration(most)))
	}
	w.next()
	return d
}

// span takes `20ms` or `20ms to 80ms`. What follows may begin with `to` as well: a
// time begins with a digit, and nothing else does.
func (w *words) span(what string, most flotilla.Millis) Span {
	d := w.duration(what, 0, most)
	s := Span{d, d}
	if w.peek() == "to" && w.at+1 < len(w.all) && isDigit(w.all[w.at+1][0]) {
		w.next()
		s.Most = w.duration(what, 0, most)
		if s.Most < s.Least {
			w.fail(fmt.Sprintf("%s to %s", formatDuration(s.Least), formatDuration(s.Most)), "put the shorter time first")
		}
	}
	return s
}

// share takes a percentage above 0.
func (w *words) share() Share {
	word := w.peek()
	if word == "" {
		w.unexpected("a share such as 5%")
		return 0
	}
	s, ok := parseShare(word)
	if !ok || s == 0 {
		w.fail(fmt.Sprintf("%q is no share", word), "write it as 5% or 0.25%, above 0% and up to 100%")
		return 0
	}
	w.next()
	return s
}

// size takes a number of bytes such as 16B or 4KiB.
func (w *words) size(what string, least, most int) int {
	word := w.peek()
	if word == "" {
		w.unexpected("a size such as 100B or 4KiB")
		return 0
	}
	n, ok := parseSize(word)
	if !ok {
		w.fail(fmt.Sprintf("%q is no size", word), "write it as 100B, 4KiB or 1MiB")
		return 0
	}
	if n < least || n > most {
		w.fail(fmt.Sprintf("%s of %s", what, word), fmt.Sprintf("give %s to %s", formatSize(least), formatSize(most)))
	}
	w.next()
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseNumber reads digits, and nothing else.
func parseNumber(word string) (n int, ok bool) {
	if word == "" || len(word) > 9 {
		return 0, false
	}
	for i := range len(word) {
		if !isDigit(word[i]) {
			return 0, false
		}
		n = n*10 + int(word[i]-'0')
	}
	return n, true
}

// parseDecimal reads a decimal number times scale; ok is false if that is no whole number.
func parseDecimal(word string, scale int64) (n int64, ok bool) {
	whole, fraction, hasPoint := strings.Cut(word, ".")
	units, ok := parseNumber(whole)
	if !ok {
		return 0, false
	}
	n = int64(units) * scale
	if !hasPoint {
		return n, true
	}
	part, ok := parseNumber(fraction)
	if !ok {
		return 0, false
	}
	parts := int64(1)
	for range fraction {
		parts *= 10
	}
	rest := int64(part) * scale
	return n + rest/parts, rest%parts == 0
}

// unit is how a quantity ends, and how many of the smallest unit it is.
type unit struct {
	name  string
	scale int64
}

func parseUnits(word string, units []unit) (n int64, ok bool) {
	at := 0
	for at < len(word) && (isDigit(word[at]) || word[at] == '.') {
		at++
	}
	for _, u := range units {
		if word[at:] == u.name {
			return parseDecimal(word[:at], u.scale)
		}
	}
	return 0, false
}

func parseDuration(word string) (flotilla.Millis, bool) {
	n, ok := parseUnits(word, []unit{{"ms", 1}, {"s", 1000}, {"m", 60_000}, {"h", 3_600_000}})
	return flotilla.Millis(n), ok
}

// formatDuration writes whole seconds as such, and from two on whole minutes and hours.
func formatDuration(d flotilla.Millis) string {
	switch {
	case d >= 7_200_000 && d%3_600_000 == 0:
		return strconv.Itoa(int(d/3_600_000)) + "h"
	case d >= 120_000 && d%60_000 == 0:
		return strconv.Itoa(int(d/60_000)) + "m"
	case d%1000 == 0:
		return strconv.Itoa(int(d/1000)) + "s"
	}
	return strconv.Itoa(int(d)) + "ms"
}

func formatSpan(s Span) string {
	if s.Least == s.Most {
		return formatDuration(s.Least)
	}
	return formatDuration(s.Least) + " to " + formatDuration(s.Most)
}

func parseShare(word string) (Share, bool) {
	n, ok := parseUnits(word, []unit{{"%", 100}})
	return Share(min(n, int64(Whole))), ok && n <= int64(Whole)
}

// String returns the share as a percentage: 5% or 0.25%.
func (s Share) String() string {
	text := strconv.Itoa(int(s / 100))
	if rest := s % 100; rest != 0 {
		text = strings.TrimRight(fmt.Sprintf("%s.%02d", text, int(rest)), "0")
	}
	return text + "%"
}

func parseSize(word string) (int, bool) {
	n, ok := parseUnits(word, []unit{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}})
	return int(min(n, math.MaxInt32)), ok
}

func formatSize(bytes int) string {
	switch {
	case bytes != 0 && bytes%(1<<20) == 0:
		return strconv.Itoa(bytes>>20) + "MiB"
	case bytes != 0 && bytes%(1<<10) == 0:
		return strconv.Itoa(bytes>>10) + "KiB"
	}
	return strconv.Itoa(bytes) + "B"
}

// suggest says which word of a list was probably meant, or names all.
func suggest(word string, list []string) string {
	if best, ok := nearest(word, list); ok {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return "use one of " + strings.Join(list, ", ")
}

// nearest returns the word of a list that looks most like a given one, if any looks much like it.
func nearest(word string, list []string) (best string, ok bool) {
	distance := 1 + len(word)/3
	for _, known := range list {
		if d := editDistance(strings.ToLower(word), known); d < distance || d == distance && best == "" {
			best, distance = known, d
		}
	}
	return best, best != ""
}

// editDistance counts the letters that must be put in, taken out, replaced, or
// exchanged with their neighbour (Damerau 1964, each letter at most once). Words
// that are much too long are far from all.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, twoAbove := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := above[j-1]
			if a[i-1] != b[j-1] {
				same++
			}
			row[j] = min(same, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoAbove[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
