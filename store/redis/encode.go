package redis

import (
	"strconv"

	"flotilla/store"
)

// encoder builds what the door itself answers, in RESP2 or RESP3.
type encoder struct {
	buf     []byte
	isRESP3 bool
}

func (e *encoder) line(kind byte, text string) {
	e.buf = append(append(append(e.buf, kind), text...), '\r', '\n')
}

func (e *encoder) count(kind byte, n int) {
	e.buf = append(strconv.AppendInt(append(e.buf, kind), int64(n), 10), '\r', '\n')
}

func (e *encoder) status(text string) { e.line('+', text) }
func (e *encoder) ok()                { e.buf = append(e.buf, "+OK\r\n"...) }
func (e *encoder) int(n int)          { e.count(':', n) }
func (e *encoder) array(n int)        { e.count('*', n) }

// err answers with an error; text begins with its code. Line breaks become
// blanks, as the text may quote an argument.
func (e *encoder) err(text string) {
	e.buf = append(e.buf, '-')
	start := len(e.buf)
	e.buf = append(e.buf, text...)
	for i := start; i < len(e.buf); i++ {
		if e.buf[i] == '\r' || e.buf[i] == '\n' {
			e.buf[i] = ' '
		}
	}
	e.buf = append(e.buf, '\r', '\n')
}

func (e *encoder) bulk(b []byte) {
	e.count('$', len(b))
	e.buf = append(append(e.buf, b...), '\r', '\n')
}

func (e *encoder) text(s string) {
	e.count('$', len(s))
	e.buf = append(append(e.buf, s...), '\r', '\n')
}

// verbatim is text for people: a type of its own in RESP3.
func (e *encoder) verbatim(s string) {
	if !e.isRESP3 {
		e.text(s)
		return
	}
	e.count('=', len(s)+4)
	e.buf = append(append(append(e.buf, "txt:"...), s...), '\r', '\n')
}

func (e *encoder) null() {
	if e.isRESP3 {
		e.buf = append(e.buf, "_\r\n"...)
		return
	}
	e.buf = append(e.buf, "$-1\r\n"...)
}

func (e *encoder) nullArray() {
	if e.isRESP3 {
		e.buf = append(e.buf, "_\r\n"...)
		return
	}
	e.buf = append(e.buf, "*-1\r\n"...)
}

// mapOf begins n pairs, which are a flat array in RESP2.
func (e *encoder) mapOf(n int) {
	if e.isRESP3 {
		e.count('%', n)
		return
	}
	e.count('*', 2*n)
}

func (e *encoder) set(n int) {
	if e.isRESP3 {
		e.count('~', n)
		return
	}
	e.count('*', n)
}

// push begins a message that no command asked for.
func (e *encoder) push(n int) {
	if e.isRESP3 {
		e.count('>', n)
		return
	}
	e.count('*', n)
}

func (e *encoder) texts(all []string) {
	e.array(len(all))
	for _, s := range all {
		e.text(s)
	}
}

// machine writes what a group's machine replied.
func (e *encoder) machine(reply []byte) {
	if e.isRESP3 {
		e.buf = store.RenderRESP3(e.buf, reply)
		return
	}
	e.buf = store.RenderRESP2(e.buf, reply)
}
