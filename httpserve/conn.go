package httpserve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	readBufferBytes = 4 << 10
	// maxDrainBytes is how much of a body that a handler did not read is read, so that the connection can go on.
	maxDrainBytes = 256 << 10
	// deadlineGrain is the part of a timeout by which it may end early: not every request sets it anew.
	deadlineGrain = 10
)

// Why there is no request.
var (
	errNoMore         = errors.New("no more requests") // nothing to be said about it
	errHeaderTooLarge = errors.New("the header is too large")
)

// conn is one connection, whose requests are answered one after another by one goroutine.
type conn struct {
	server    *Lean
	net       net.Conn
	source    source
	in        *bufio.Reader
	tls       *tls.ConnectionState
	wasPOST   bool   // the request before
	address   string // the client's
	answer    answer
	body      body
	readUntil time.Time // the deadlines as they are set
	sendUntil time.Time

	timer *time.Timer // when it is worth to look whether the client is still there

	mu        sync.Mutex
	isBusy    bool          // guarded by mu: a request is being read or answered
	isStopped bool          // guarded by mu: the next one will not be
	isGiven   bool          // guarded by mu: a handler has the request
	cancel    func()        // guarded by mu: ends the request's context
	watched   chan struct{} // guarded by mu: somebody looks whether the client goes; closed when that ends
}

func newConn(s *Lean, accepted net.Conn) *conn {
	c := &conn{server: s, net: accepted, address: accepted.RemoteAddr().String()}
	c.source.net = accepted
	c.in = bufio.NewReaderSize(&c.source, readBufferBytes)
	c.answer.header = http.Header{}
	c.body.conn = c
	return c
}

// source is what comes in, of a header no more than is allowed.
type source struct {
	net      net.Conn
	isHeader bool
	left     int  // of the header
	early    byte // the next request's first, which came while somebody looked whether the client had gone
	hasEarly bool
}

func (s *source) Read(p []byte) (n int, err error) {
	if s.hasEarly && len(p) > 0 {
		p[0], s.hasEarly = s.early, false
		return 1, nil
	}
	if !s.isHeader {
		return s.net.Read(p)
	}
	if s.left <= 0 {
		return 0, errHeaderTooLarge
	}
	n, err = s.net.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

func (c *conn) serve(ctx context.Context) {
	defer func() { _ = c.net.Close() }()
	if !c.shakeHands(ctx) {
		return
	}
	c.timer = time.AfterFunc(time.Hour, c.lookLater)
	c.timer.Stop()
	defer c.timer.Stop()
	for c.exchange(ctx) {
	}
}

// shakeHands begins TLS, where the listener brings it.
func (c *conn) shakeHands(ctx context.Context) bool {
	secure, ok := c.net.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, done := context.WithTimeout(ctx, c.server.HeaderTimeout)
	defer done()
	if err := secure.HandshakeContext(ctx); err != nil {
		var record tls.RecordHeaderError
		if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
			_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks HTTPS.\n")
			_ = record.Conn.Close()
		}
		return false
	}
	state := secure.ConnectionState()
	c.tls = &state
	return true
}

func looksLikeHTTP(begin [5]byte) bool {
	switch string(begin[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		return true
	}
	return false
}

// exchange takes one request and answers it, and reports whether there may be another.
func (c *conn) exchange(ctx context.Context) (goesOn bool) {
	r, err := c.read()
	if err != nil {
		c.refuse(err)
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &c.answer
	a.begin(r)
	if !c.handle(r.WithContext(requestContext{ctx, c}), cancel) {
		return false
	}
	if !c.drain() {
		a.isLast = true
	}
	c.extend(&c.sendUntil, c.server.AnswerTimeout, c.net.SetWriteDeadline)
	err = a.send(c.net)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isBusy = false
	return err == nil && !a.isLast && !c.isStopped
}

// handle has the handler answer, and reports whether it did.
func (c *conn) handle(r *http.Request, cancel func()) (ok bool) {
	c.give(cancel)
	defer func() {
		c.takeBack()
		if reason := recover(); reason != nil {
			ok = false
			if reason != http.ErrAbortHandler { //nolint:errorlint // as net/http has it
				c.server.Log.Error("a request failed: this is a bug", "err", reason, "stack", string(debug.Stack()))
			}
		}
	}()
	c.server.Handler.ServeHTTP(&c.answer, r)
	return true
}

// read waits for a request, and reads its header.
func (c *conn) read() (*http.Request, error) {
	c.extend(&c.readUntil, c.server.IdleTimeout, c.net.SetReadDeadline)
	if _, err := c.in.Peek(1); err != nil || !c.begin() {
		return nil, errNoMore
	}
	if there, _ := c.in.Peek(c.in.Buffered()); !bytes.Contains(there, []byte("\r\n\r\n")) {
		c.readWithin(c.server.HeaderTimeout)
	}
	c.source.isHeader, c.source.left = true, c.server.MaxHeaderBytes
	c.skipEmptyLines()
	r, err := http.ReadRequest(c.in)
	c.source.isHeader = false
	if err == nil {
		err = check(r)
	}
	if err != nil {
		return nil, err
	}
	r.RemoteAddr, r.TLS = c.address, c.tls
	c.wasPOST = r.Method == http.MethodPost
	c.body.open(r)
	if !c.body.isRead.Load() && r.ContentLength > int64(c.in.Buffered()) || r.ContentLength < 0 {
		c.readWithin(c.server.BodyTimeout)
	}
	return r, nil
}

// skipEmptyLines passes over what old clients send after the body of a POST (RFC 9112, 2.2).
func (c *conn) skipEmptyLines() {
	if !c.wasPOST {
		return
	}
	next, _ := c.in.Peek(4) // less: the request says why
	_, _ = c.in.Discard(len(next) - len(bytes.TrimLeft(next, "\r\n")))
}

// extend moves a deadline to a timeout from now, unless it is nearly there.
func (c *conn) extend(until *time.Time, timeout time.Duration, set func(time.Time) error) {
	now := time.Now()
	if until.Sub(now) < timeout-timeout/deadlineGrain {
		*until = now.Add(timeout)
		_ = set(*until) // a connection that is closed says so when it is used
	}
}

// readWithin lets what comes next take a timeout, which is shorter than that of an idle connection.
func (c *conn) readWithin(timeout time.Duration) {
	c.readUntil = time.Now().Add(timeout)
	_ = c.net.SetReadDeadline(c.readUntil)
}

// A status is why a request is refused before a handler sees it.
type status struct {
	code int
	why  string
}

func (s status) Error() string { return s.why }

// check says what http.ReadRequest leaves to the server.
func check(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1:
		return status{http.StatusHTTPVersionNotSupported, "use HTTP/1.1"}
	case r.Host == "" && r.ProtoAtLeast(1, 1):
		return status{http.StatusBadRequest, "missing required Host header"}
	case !httpguts.ValidHostHeader(r.Host):
		return status{http.StatusBadRequest, "malformed Host header"}
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return status{http.StatusBadRequest, "invalid header name"}
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return status{http.StatusBadRequest, "invalid header value"}
			}
		}
	}
	if r.Header.Get("Expect") != "" && !expectsContinue(r) {
		return status{http.StatusExpectationFailed, "only 100-continue can be expected"}
	}
	return nil
}

// refuse answers what is no request.
func (c *conn) refuse(err error) {
	var s status
	switch {
	case isGone(err):
		return
	case errors.Is(err, errHeaderTooLarge):
		s = status{http.StatusRequestHeaderFieldsTooLarge, "the header is too large"}
	case !errors.As(err, &s):
		s = status{http.StatusBadRequest, "malformed HTTP request"}
	}
	c.server.Log.Debug("no request of HTTP", "client", c.address, "err", s.why)
	c.answer.begin(nil)
	http.Error(&c.answer, s.why, s.code)
	c.answer.isLast = true
	c.extend(&c.sendUntil, c.server.HeaderTimeout, c.net.SetWriteDeadline)
	if c.answer.send(c.net) != nil {
		return
	}
	// A close while there is more to read would reset the connection, and the client might not see the answer.
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.net.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.net, maxDrainBytes)
	}
}

// isGone reports whether nobody is there, or nothing came in time.
func isGone(err error) bool {
	var network *net.OpError
	return errors.Is(err, errNoMore) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &network)
}

// lingerTime is for a client that was refused to read why.
const lingerTime = 500 * time.Millisecond

// drain reads what the handler left of the body, and reports whether the next request can follow.
func (c *conn) drain() bool {
	b := &c.body
	if b.isRead.Load() {
		return true
	}
	if b.isExpected {
		return false // it was never asked for
	}
	_, _ = io.CopyN(io.Discard, b, maxDrainBytes)
	return b.isRead.Load()
}
