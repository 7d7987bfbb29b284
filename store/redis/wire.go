package redis

import (
	"bytes"
	"errors"
	"fmt"

	"flotilla/store"
)

// Limits of what a client may send. See docs/limits.md.
const (
	maxArguments     = 1 << 20  // of one command
	maxBulkBytes     = 64 << 20 // of one argument; more is a protocol error
	maxLineBytes     = 64 << 10 // of an inline command or a length line
	maxArgumentsAnon = 10       // the same, before AUTH
	maxBulkBytesAnon = 16 << 10
	firstBufferBytes = 4 << 10  // what an idle connection keeps
	keepBufferBytes  = 64 << 10 // what a busy one may keep
)

// errTooLarge is what a command of more than store.MaxCommandBytes gets. The
// connection goes on: the command was read to its end and forgotten.
var errTooLarge = fmt.Errorf("ERR command is too large: at most %d bytes", store.MaxCommandBytes)

// errCrossProtocol means that a browser or the like is talking HTTP to us,
// possibly made to by a web page. The connection is dropped without a word.
var errCrossProtocol = errors.New("HTTP on the store's port")

// errTLS means that a connection begins with a TLS handshake, and this port
// speaks none. No answer of ours would be understood.
var errTLS = errors.New("TLS on the store's port")

// tlsHandshake is the first byte of a connection that speaks TLS.
const tlsHandshake = 0x16

// protocolError is the end of a connection: after it nobody knows where the next
// command begins.
type protocolError string

func (e protocolError) Error() string { return "ERR Protocol error: " + string(e) }

// span is an argument's place, counted from the start of its command, because
// the buffer may move while a command is still arriving.
type span struct{ start, end int }

// parser cuts commands out of what has arrived on one connection.
//
//	buf: | done | arguments so far | not looked at | free |
//	            at                 next            len    cap
//
// Arguments are slices of buf, never copies. Memory grows with the bytes that
// arrived, never with a length that the client declared.
type parser struct {
	buf  []byte
	at   int // where the current command begins
	next int // how far it was looked at

	left  int // arguments still to come; 0 between commands
	bulk  int // length of the argument that is arriving, -1 before it is known
	size  int // bytes of the current command, as far as declared
	spans []span
	args  [][]byte

	isDropping bool // the current command is too large: read on, keep nothing
	isTrusted  bool // authenticated
}

// free returns where the next bytes shall be read to; never empty.
func (p *parser) free() []byte {
	if p.at == len(p.buf) {
		if cap(p.buf) > keepBufferBytes {
			p.buf, p.args = nil, nil // the arguments hold on to it, too
		}
		p.buf, p.at, p.next = p.buf[:0], 0, 0
	}
	if cap(p.buf)-len(p.buf) < firstBufferBytes/4 {
		p.makeRoom()
	}
	return p.buf[len(p.buf):cap(p.buf)]
}

// makeRoom moves what is still needed to the front, and doubles the buffer if
// that was not enough.
func (p *parser) makeRoom() {
	needed := p.buf[p.at:]
	target := p.buf[:0]
	if len(needed) > cap(p.buf)/2 || cap(p.buf) == 0 {
		target = make([]byte, 0, max(firstBufferBytes, 2*cap(p.buf)))
	}
	p.next -= p.at
	p.at = 0
	p.buf = append(target, needed...)
}

// filled tells how many bytes were read to what free returned. A read that
// filled it all promises a pipeline: the next one may be larger.
func (p *parser) filled(n int) {
	p.buf = p.buf[:len(p.buf)+n]
	if len(p.buf) == cap(p.buf) && cap(p.buf) < keepBufferBytes {
		p.buf = append(make([]byte, 0, 2*cap(p.buf)), p.buf...)
	}
}

// pending returns how many bytes have arrived and are not yet part of a command
// that was returned.
func (p *parser) pending() int { return len(p.buf) - p.at }

// command returns the next command's arguments, valid until free is called, or
// nil if it has not arrived as a whole. Of the errors only errTooLarge lets the
// connection go on.
func (p *parser) command() ([][]byte, error) {
	for p.left == 0 {
		if p.next == len(p.buf) {
			return nil, nil
		}
		if p.buf[p.next] == tlsHandshake { // a whole line may never come
			return nil, errTLS
		}
		if p.buf[p.next] != '*' {
			if args, isWhole, err := p.inline(); !isWhole || err != nil || len(args) > 0 {
				return args, err
			}
			continue
		}
		if ok, err := p.begin(); !ok {
			return nil, err
		}
	}
	for p.left > 0 {
		if ok, err := p.argument(); !ok {
			return nil, err
		}
	}
	return p.finish()
}

// begin reads "*3\r\n". An empty or null array is no command, as in Redis.
func (p *parser) begin() (ok bool, err error) {
	count, length, err := p.number(p.next+1, "too big mbulk count string")
	if err != nil || length == 0 {
		return false, err
	}
	if count > maxArguments {
		return false, protocolError("invalid multibulk length")
	}
	if !p.isTrusted && count > maxArgumentsAnon {
		return false, protocolError("unauthenticated multibulk length")
	}
	p.next += 1 + length
	if count <= 0 {
		p.at = p.next
		return true, nil
	}
	p.left, p.bulk, p.size = count, -1, 0
	p.spans = p.spans[:0]
	return true, nil
}

// argument reads "$3\r\nfoo\r\n", or as much of it as there is.
func (p *parser) argument() (ok bool, err error) {
	if p.bulk < 0 {
		if ok, err := p.bulkHeader(); !ok {
			return false, err
		}
	}
	if p.isDropping {
		return p.drop(), nil
	}
	end := p.next + p.bulk
	if len(p.buf) < end+2 {
		return false, nil
	}
	if p.buf[end] != '\r' || p.buf[end+1] != '\n' {
		return false, protocolError("expected CRLF after bulk")
	}
	p.spans = append(p.spans, span{p.next - p.at, end - p.at})
	p.next = end + 2
	p.bulk = -1
	p.left--
	return true, nil
}

func (p *parser) bulkHeader() (ok bool, err error) {
	if p.next == len(p.buf) {
		return false, nil
	}
	if c := p.buf[p.next]; c != '$' {
		return false, protocolError(fmt.Sprintf("expected '$', got '%s'", printable(c)))
	}
	n, length, err := p.number(p.next+1, "too big bulk count string")
	if err != nil {
		if err == errBadNumber {
			err = protocolError("invalid bulk length")
		}
		return false, err
	}
	if length == 0 {
		return false, nil
	}
	if n < 0 || n > maxBulkBytes {
		return false, protocolError("invalid bulk length")
	}
	if !p.isTrusted && n > maxBulkBytesAnon {
		return false, protocolError("unauthenticated bulk length")
	}
	p.next += 1 + length
	p.bulk = n
	p.size += 1 + length + n + 2
	if p.size > store.MaxCommandBytes && !p.isDropping {
		p.isDropping = true
		p.spans = p.spans[:0]
	}
	if p.isDropping {
		p.bulk += 2 // with its line end
	}
	return true, nil
}

// drop forgets as much of the current argument as has arrived.
func (p *parser) drop() (ok bool) {
	n := min(p.bulk, len(p.buf)-p.next)
	p.next += n
	p.at = p.next
	p.bulk -= n
	if p.bulk > 0 {
		return false
	}
	p.bulk = -1
	p.left--
	return true
}

// finish turns the spans of a whole command into arguments.
func (p *parser) finish() ([][]byte, error) {
	if p.isDropping {
		p.isDropping = false
		p.at = p.next
		return nil, errTooLarge
	}
	p.args = p.args[:0]
	for _, s := range p.spans {
		p.args = append(p.args, p.buf[p.at+s.start:p.at+s.end:p.at+s.end])
	}
	p.at = p.next
	if cap(p.spans) > keepBufferBytes/16 && len(p.spans) < keepBufferBytes/64 {
		p.spans = nil
	}
	return p.args, nil
}

// errBadNumber is returned by number for bulkHeader to give it its text.
var errBadNumber = protocolError("invalid multibulk length")

// number reads an integer and its line end from a place on. length is 0 if the
// line has not arrived as a whole.
func (p *parser) number(from int, tooLong string) (n, length int, err error) {
	line := p.buf[from:]
	end := bytes.IndexByte(line[:min(len(line), maxLineBytes)], '\r')
	if end < 0 && len(line) >= maxLineBytes {
		return 0, 0, protocolError(tooLong)
	}
	if end < 0 || end+1 == len(line) {
		return 0, 0, nil
	}
	n, ok := decimal(line[:end])
	if !ok || line[end+1] != '\n' {
		return 0, 0, errBadNumber
	}
	return n, end + 2, nil
}

// decimal reads a number as Redis writes it: no sign but '-', no leading zero.
func decimal(digits []byte) (n int, ok bool) {
	isNegative := len(digits) > 0 && digits[0] == '-'
	if isNegative {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 12 || (digits[0] == '0' && (len(digits) > 1 || isNegative)) {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	if isNegative {
		n = -n
	}
	return n, true
}

// inline reads a command as people type it: words, separated by blanks, with
// Redis's quoting, up to the end of the line.
func (p *parser) inline() (args [][]byte, isWhole bool, err error) {
	line := p.buf[p.at:]
	end := bytes.IndexByte(line[:min(len(line), maxLineBytes)], '\n')
	if end < 0 && len(line) >= maxLineBytes {
		return nil, false, protocolError("too big inline request")
	}
	if end < 0 {
		return nil, false, nil
	}
	p.at += end + 1
	p.next = p.at
	args, ok := splitWords(p.args[:0], bytes.TrimSuffix(line[:end], []byte{'\r'}))
	if !ok {
		return nil, false, protocolError("unbalanced quotes in request")
	}
	if isHTTP(args) {
		return nil, false, errCrossProtocol
	}
	if !p.isTrusted && len(args) > maxArgumentsAnon {
		return nil, false, protocolError("unauthenticated multibulk length")
	}
	p.args = args
	return args, true, nil
}

// isHTTP reports whether a line is a request or a header of HTTP. A Redis
// command never looks like that.
func isHTTP(args [][]byte) bool {
	if len(args) == 0 {
		return false
	}
	if bytes.EqualFold(args[0], []byte("post")) || bytes.EqualFold(args[0], []byte("host:")) {
		return true
	}
	last := args[len(args)-1]
	return len(args) > 1 && len(last) >= 5 && bytes.EqualFold(last[:5], []byte("http/"))
}

// splitWords splits a line as Redis does: "\n\r\t\b\a\\\"\x0f" are understood between double quotes,
// only \' between single ones. ok is false if a quote is not closed, or is
// followed by anything but a blank.
func splitWords(words [][]byte, line []byte) (_ [][]byte, ok bool) {
	for {
		line = bytes.TrimLeft(line, " \t\v\f\r\n\x00")
		if len(line) == 0 {
			return words, true
		}
		var word []byte
		if word, line, ok = splitWord(line); !ok {
			return nil, false
		}
		words = append(words, word)
	}
}

func splitWord(line []byte) (word, rest []byte, ok bool) {
	word = []byte{}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t', '\n', '\r', 0:
			return word, line[i:], true
		case '"', '\'':
			n := 0
			if word, n = unquote(word, line[i+1:], c); n < 0 {
				return nil, nil, false
			}
			rest = line[i+1+n:]
			return word, rest, len(rest) == 0 || isBlank(rest[0])
		default:
			word = append(word, c)
		}
	}
	return word, nil, true
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// unquote appends what stands before the closing quote, and returns how many
// bytes it took with that quote, or -1 if there is none.
func unquote(word, line []byte, quote byte) ([]byte, int) {
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			return word, i + 1
		case c == '\\' && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
			c = '\''
		case c == '\\' && quote == '"' && i+3 < len(line) && line[i+1] == 'x' && isHex(line[i+2]) && isHex(line[i+3]):
			c = hexDigit(line[i+2])<<4 | hexDigit(line[i+3])
			i += 3
		case c == '\\' && quote == '"' && i+1 < len(line):
			i++
			c = unescape(line[i])
		}
		word = append(word, c)
	}
	return word, -1
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}

func printable(c byte) string {
	if c < ' ' || c > '~' {
		return "?"
	}
	return string(c)
}
