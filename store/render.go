package store

import (
	"bytes"
	"strconv"
)

// RenderRESP2 appends a machine's reply in RESP2.
func RenderRESP2(dst, reply []byte) []byte {
	if len(reply) > 0 {
		switch reply[0] {
		case '+', '-', ':', '$':
			return append(dst, reply...)
		}
	}
	return render(dst, reply, renderItem2)
}

// RenderRESP3 appends a machine's reply in RESP3.
func RenderRESP3(dst, reply []byte) []byte {
	if bytes.IndexByte(reply, '^') < 0 && bytes.IndexByte(reply, '!') < 0 {
		return append(dst, reply...)
	}
	return render(dst, reply, renderItem3)
}

// render passes each item of a reply through item, which appends the item's
// first line in its own way.
func render(dst, reply []byte, item func(dst []byte, kind byte, line []byte) []byte) []byte {
	// pairs counts what is left of the innermost ^ that RESP3 has to break up.
	var stack []frame
	for len(reply) > 0 {
		end := bytes.IndexByte(reply, '\n')
		if end < 2 {
			return dst
		}
		kind, line := reply[0], reply[1:end-1]
		reply = reply[end+1:]
		if len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.isPairs && top.left%2 == 0 {
				dst = item(dst, 'p', nil)
			}
			top.left--
		}
		dst = item(dst, kind, line)
		switch kind {
		case '$', '=':
			n, _ := strconv.Atoi(string(line))
			if n < 0 || n > len(reply)-2 {
				return dst
			}
			if kind == '=' {
				dst = appendVerbatim(dst, item, reply[:n])
			} else {
				dst = append(dst, reply[:n+2]...)
			}
			reply = reply[n+2:]
		case '*', '~', '%', '^':
			n, _ := strconv.Atoi(string(line))
			if kind == '%' || kind == '^' {
				n *= 2
			}
			stack = append(stack, frame{left: n, isPairs: kind == '^'})
		}
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			stack = stack[:len(stack)-1]
		}
	}
	return dst
}

// frame is an aggregate that still waits for items.
type frame struct {
	left    int
	isPairs bool
}

// appendVerbatim writes a =15\r\ntxt:... item; its header was left to this
// function because its length differs.
func appendVerbatim(dst []byte, item func([]byte, byte, []byte) []byte, body []byte) []byte {
	if isRESP3 := len(item(nil, 'p', nil)) > 0; !isRESP3 && len(body) >= 4 {
		body = body[4:] // RESP2 has no place for "txt:"
		return appendBulk(dst, '$', body)
	}
	return appendBulk(dst, '=', body)
}

func appendBulk(dst []byte, kind byte, body []byte) []byte {
	dst = append(dst, kind)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(append(dst, '\r', '\n'), body...)
	return append(dst, '\r', '\n')
}

func appendLine(dst []byte, kind byte, line []byte) []byte {
	return append(append(append(dst, kind), line...), '\r', '\n')
}

func renderItem2(dst []byte, kind byte, line []byte) []byte {
	switch kind {
	case 'p', '=':
		return dst
	case '_':
		return append(dst, "$-1\r\n"...)
	case '!':
		return append(dst, "*-1\r\n"...)
	case '~':
		return appendLine(dst, '*', line)
	case '%', '^':
		n, _ := strconv.Atoi(string(line))
		return append(strconv.AppendInt(append(dst, '*'), int64(2*n), 10), '\r', '\n')
	case ',', '(':
		return appendBulk(dst, '$', line)
	case '#':
		if string(line) == "t" {
			return append(dst, ":1\r\n"...)
		}
		return append(dst, ":0\r\n"...)
	}
	return appendLine(dst, kind, line)
}

func renderItem3(dst []byte, kind byte, line []byte) []byte {
	switch kind {
	case 'p':
		return append(dst, "*2\r\n"...)
	case '=':
		return dst
	case '!':
		return append(dst, "_\r\n"...)
	case '^':
		return appendLine(dst, '*', line)
	}
	return appendLine(dst, kind, line)
}
