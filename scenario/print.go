package scenario

import "strings"

// String returns the plan as a text that Parse reads as an equal plan. Of one plan
// there is one such text.
func (p *Plan) String() string {
	var text strings.Builder
	for _, h := range headers {
		if rest := h.write(p); rest != "" {
			text.WriteString(h.word + " " + rest + "\n")
		}
	}
	for _, s := range p.Steps {
		text.WriteString(s.String() + "\n")
	}
	return text.String()
}

// String returns the step as a line of a text, without its end.
func (s Step) String() string {
	var when string
	switch {
	case s.IsFinal:
		when = "finally"
	case s.Every == 0:
		when = "at " + formatDuration(s.At)
	default:
		when = "every " + formatDuration(s.Every)
		if s.At != s.Every {
			when += " from " + formatDuration(s.At)
		}
		if s.Until != 0 {
			when += " to " + formatDuration(s.Until)
		}
	}
	return when + " " + s.Action()
}

// Action returns what the step does, without when.
func (s Step) Action() string {
	text := string(s.Verb)
	f, _ := lookupVerb(s.Verb)
	for _, c := range f.clauses {
		if part := c.write(s); part != "" {
			text += " " + part
		}
	}
	return text
}
