package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// told tells an operation in words.
func (v *queueView) told(o *QueueOperation) string {
	text := fmt.Sprintf("client %d %s %s between %s and %s", o.Client, queueWords(o), o.Queue, v.clock(o.Begin), v.clock(o.End))
	switch {
	case o.Outcome == Unknown:
		return text + ", outcome unknown"
	case o.Outcome == Refused:
		return text + ", refused"
	case !o.IsDone:
		return text + ", answered no"
	}
	return text
}

func queueWords(o *QueueOperation) string {
	switch o.Kind {
	case Send:
		text := fmt.Sprintf("sent %q", o.Body)
		if o.Group != "" {
			text += fmt.Sprintf(" of group %q", o.Group)
		}
		if o.Sequence > 0 {
			text += fmt.Sprintf(" (number %d)", o.Sequence)
		}
		return text + " to"
	case Receive:
		var given []string
		for _, d := range o.Deliveries {
			given = append(given, fmt.Sprintf("%q for the %s time", d.Body, nth(d.Count)))
		}
		if given == nil {
			return "received nothing from"
		}
		return fmt.Sprintf("received %s for %s from", strings.Join(given, ", "), seconds(o.Visibility))
	case Settle:
		return fmt.Sprintf("deleted %s from", short(o.Handle))
	case Change:
		return fmt.Sprintf("changed the lease %s to %s in", short(o.Handle), seconds(o.Visibility))
	case Tally:
		return fmt.Sprintf("counted %d messages in", o.Total)
	case Move:
		return "began to move the messages of"
	}
	return string(o.Kind) + "d"
}

func nth(n uint64) string {
	switch {
	case n == 1:
		return "first"
	case n == 2:
		return "second"
	case n == 3:
		return "third"
	}
	return fmt.Sprintf("%dth", n)
}

func seconds(millis int64) string { return fmt.Sprintf("%.3f s", float64(millis)/1000) }

// short is the end of a handle: enough to tell it from others.
func short(handle string) string {
	const enough = 12
	if len(handle) <= enough {
		return handle
	}
	return "…" + handle[len(handle)-enough:]
}

// accuse writes a fault down, with all that is known of a message around it, the
// newest at the end.
func (v *queueView) accuse(rule string, m *message, format string, args ...any) {
	text := rule + ": " + fmt.Sprintf(format, args...)
	if m != nil {
		text += v.around(m)
	}
	v.fault("%s", text)
}

// around tells the operations on a message, the last windowSize of them.
func (v *queueView) around(m *message) string {
	near := slices.Concat(m.sends, m.others)
	for _, l := range m.leases {
		near = append(near, l.given)
		near = append(near, l.settles...)
		near = append(near, l.changes...)
	}
	slices.SortFunc(near, func(a, b *QueueOperation) int { return cmp.Compare(a.Begin, b.Begin) })
	near = slices.Compact(near)
	var b strings.Builder
	if skipped := len(near) - windowSize; skipped > 0 {
		fmt.Fprintf(&b, "\n    (%d operations before)", skipped)
		near = near[skipped:]
	}
	for _, o := range near {
		b.WriteString("\n    " + v.told(o))
	}
	return b.String()
}
