package httpserve

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxCopiedBytes is up to where an answer's body is copied behind its header, so that both are one write.
	maxCopiedBytes = 16 << 10
	// maxKeptBytes is what an answer's buffers may have grown to and still be used again.
	maxKeptBytes = 64 << 10
)

// answer is an http.ResponseWriter that keeps all until the handler is done.
type answer struct {
	header    http.Header
	status    int // 0: not said yet
	content   []byte
	isOld     bool // HTTP/1.0
	isHEAD    bool
	isLast    bool // the connection is closed after it
	out       []byte
	date      []byte // now, as a header has it
	dateUntil time.Time
}

// begin forgets the answer before. r is nil if there is no request that could be understood.
func (a *answer) begin(r *http.Request) {
	clear(a.header)
	a.status, a.content = 0, a.content[:0]
	if cap(a.content) > maxKeptBytes {
		a.content = nil
	}
	if cap(a.out) > maxKeptBytes {
		a.out = nil
	}
	a.isOld = r != nil && !r.ProtoAtLeast(1, 1)
	a.isHEAD = r != nil && r.Method == http.MethodHead
	a.isLast = r == nil || a.isOld || r.Close
}

func (a *answer) Header() http.Header { return a.header }

// WriteHeader says the status. Those that only inform (1xx) are not sent.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !hasContent(a.status) {
		return 0, http.ErrBodyNotAllowed
	}
	a.content = append(a.content, b...)
	return len(b), nil
}

// hasContent reports whether an answer of a status has a body (RFC 9110, 6.4.1).
func hasContent(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// send writes the answer.
func (a *answer) send(to net.Conn) error {
	a.WriteHeader(http.StatusOK)
	a.appendHead()
	content := a.content
	if a.isHEAD {
		content = nil
	}
	if len(content) <= maxCopiedBytes {
		a.out = append(a.out, content...)
		_, err := to.Write(a.out)
		return err
	}
	parts := net.Buffers{a.out, content}
	_, err := parts.WriteTo(to)
	return err
}

func (a *answer) appendHead() {
	a.out = append(a.out[:0], "HTTP/1.1 "...)
	if a.isOld {
		a.out[7] = '0'
	}
	a.out = strconv.AppendInt(a.out, int64(a.status), 10)
	a.out = append(append(append(a.out, ' '), http.StatusText(a.status)...), "\r\n"...)
	if len(a.content) > 0 && len(a.header["Content-Type"]) == 0 {
		a.header.Set("Content-Type", http.DetectContentType(a.content))
	}
	hasDate := false
	for name, values := range a.header {
		switch name {
		case "Content-Length", "Transfer-Encoding":
			continue // the answer has the length that it has
		case "Connection":
			a.isLast = a.isLast || len(values) > 0 && strings.EqualFold(values[0], "close")
			continue
		case "Date":
			hasDate = true
		}
		for _, value := range values {
			a.appendHeader(name, value)
		}
	}
	if !hasDate {
		a.appendDate(time.Now())
	}
	if a.isLast {
		a.out = append(a.out, "Connection: close\r\n"...)
	}
	if hasContent(a.status) {
		a.out = strconv.AppendInt(append(a.out, "Content-Length: "...), int64(len(a.content)), 10)
		a.out = append(a.out, "\r\n"...)
	}
	a.out = append(a.out, "\r\n"...)
}

// appendHeader appends one line, whatever the value is.
func (a *answer) appendHeader(name, value string) {
	if strings.ContainsAny(name, "\r\n: ") {
		return
	}
	if strings.ContainsAny(value, "\r\n") {
		value = newlines.Replace(value)
	}
	a.out = append(append(append(append(a.out, name...), ": "...), value...), "\r\n"...)
}

var newlines = strings.NewReplacer("\n", " ", "\r", " ")

// appendDate appends the time, which is rendered anew each second.
func (a *answer) appendDate(now time.Time) {
	if !now.Before(a.dateUntil) {
		a.date = append(now.UTC().AppendFormat(append(a.date[:0], "Date: "...), http.TimeFormat), "\r\n"...)
		a.dateUntil = now.Truncate(time.Second).Add(time.Second)
	}
	a.out = append(a.out, a.date...)
}
