package scenario

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Errors is all that is wrong with a text, in order of lines, but not more than
// twenty of them.
type Errors []*Error

// Error has a line for each error.
func (all Errors) Error() string {
	var lines []string
	for _, e := range all {
		lines = append(lines, e.Error())
	}
	return strings.Join(lines, "\n")
}

// Parse reads a plan. The error is an Errors. Blank lines and what follows a # that
// begins a line or a word are left out, and so is a byte order mark.
func Parse(text string) (*Plan, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	p := &parser{plan: defaults(), seen: map[string]int{}}
	if e := unreadable(text); e != nil {
		return nil, Errors{e}
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		p.line(number, uncomment(line))
		if len(p.errors) >= maxErrors {
			return nil, p.errors
		}
	}
	p.finish()
	if len(p.errors) > 0 {
		slices.SortStableFunc(p.errors, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
		return nil, p.errors[:min(len(p.errors), maxErrors)]
	}
	return p.plan, nil
}

// Check tells what is wrong with a plan that code made, as an Errors whose lines are
// those of its String; nil if it is sound.
func (p *Plan) Check() error {
	again, err := Parse(p.String())
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(p, again) {
		return Errors{{Wrong: "the plan has parts that its text does not show", Right: "leave fields that a verb does not use at zero"}}
	}
	return nil
}

// unreadable refuses what is no text.
func unreadable(text string) *Error {
	switch {
	case len(text) > MaxFileBytes:
		return &Error{Wrong: fmt.Sprintf("the text has %d bytes", len(text)), Right: fmt.Sprintf("use %d at most", MaxFileBytes)}
	case !utf8.ValidString(text):
		return &Error{Wrong: "this is no UTF-8", Right: "save the text as UTF-8"}
	}
	for at, c := range text {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			line := 1 + strings.Count(text[:at], "\n")
			return &Error{Line: line, Wrong: fmt.Sprintf("there is a control character %#x", c), Right: "take it out"}
		}
	}
	return nil
}

// uncomment cuts a line off where a word begins with #.
func uncomment(line string) string {
	for at := range len(line) {
		if line[at] == '#' && (at == 0 || line[at-1] == ' ' || line[at-1] == '\t') {
			return line[:at]
		}
	}
	return line
}

type parser struct {
	plan   *Plan
	seen   map[string]int // headers, by word: the line
	lines  []int          // of the steps
	errors Errors
}

func (p *parser) line(number int, text string) {
	w := newWords(text)
	if w.peek() == "" {
		return
	}
	switch w.peek() {
	case "at", "every", "finally":
		p.step(number, w)
	default:
		p.header(number, w)
	}
	if w.err != nil {
		w.err.Line = number
		p.errors = append(p.errors, w.err)
	}
}

func (p *parser) header(number int, w *words) {
	word := w.peek()
	known := []string{"at", "every", "finally"}
	for _, h := range headers {
		if known = append(known, h.word); h.word != word {
			continue
		}
		if before := p.seen[word]; before != 0 {
			w.fail(fmt.Sprintf("there is a %s already", word), fmt.Sprintf("keep either this line or line %d", before))
			return
		}
		p.seen[word] = number
		w.form = h.form
		w.next()
		h.read(w, p.plan)
		w.end()
		return
	}
	if _, ok := takeVerb(w); ok {
		w.err = nil
		w.fail(fmt.Sprintf("%q does not say when", word), "begin with at T, every T or finally, as in: at 5s "+strings.Join(w.all, " "))
		return
	}
	w.err = nil
	w.fail(fmt.Sprintf("no line begins with %q", word), suggest(word, known))
}

// step reads `at T VERB ...`, `every T [from T] [to T] VERB ...` or `finally VERB ...`.
func (p *parser) step(number int, w *words) {
	var s Step
	switch w.next() {
	case "at":
		w.form = "at T ACTION"
		s.At = w.duration("time", 0, MaxDuration)
	case "every":
		w.form = "every T [from T] [to T] ACTION"
		s.Every = w.duration("time", 1, MaxDuration)
		s.At = s.Every
		if w.take("from") {
			s.At = w.duration("time", 0, MaxDuration)
		}
		if w.take("to") {
			s.Until = w.duration("time", 1, MaxDuration)
		}
	default:
		w.form = "finally ACTION"
		s.IsFinal = true
	}
	f, ok := takeVerb(w)
	if ok {
		w.form = f.form()
		s.Verb = f.verb
		for _, c := range f.clauses {
			c.read(w, &s)
		}
		w.end()
	}
	p.lines = append(p.lines, number)
	p.plan.Steps = append(p.plan.Steps, s)
}

// takeVerb takes a verb of one word or of two.
func takeVerb(w *words) (f verbForm, ok bool) {
	var known, firsts []string
	for _, f := range verbs {
		if w.take(string(f.verb)) {
			return f, true
		}
		known = append(known, string(f.verb))
		if first, _, hasTwo := strings.Cut(string(f.verb), " "); hasTwo && first == w.peek() {
			firsts = append(firsts, string(f.verb))
		}
	}
	switch word := w.next(); {
	case word == "":
		w.unexpected("an action, such as kill n2")
	case len(firsts) > 0:
		w.fail(fmt.Sprintf("%q is half an action", word), "write "+strings.Join(firsts, " or "))
	default:
		// What was meant may be one word, or two of which either is misspelt.
		phrase := word + " " + w.peek()
		if _, ok := nearest(word, known); ok || w.peek() == "" {
			phrase = word
		} else if _, ok := nearest(phrase, known); !ok {
			phrase = word
		}
		w.fail(fmt.Sprintf("there is no action %q", phrase), suggest(phrase, known))
	}
	return verbForm{}, false
}

// finish looks at what one line alone could not know.
func (p *parser) finish() {
	for _, word := range []string{"name", "for"} {
		if p.seen[word] == 0 {
			p.errors = append(p.errors, &Error{Wrong: fmt.Sprintf("there is no line that begins with %q", word),
				Right: "add one, such as: " + map[string]string{"name": "name leader-cut-off", "for": "for 60s"}[word]})
		}
	}
	if len(p.errors) > 0 {
		return // the rest would be about a plan that was never written
	}
	if p.seen["copies"] == 0 {
		p.plan.Copies = min(defaultCopies, p.plan.Nodes)
	}
	for _, f := range p.plan.faults() {
		line := p.seen[f.header]
		if f.header == "" {
			line = p.lines[f.step]
		}
		p.errors = append(p.errors, &Error{Line: line, Wrong: f.wrong, Right: f.right})
	}
}
