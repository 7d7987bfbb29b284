package httpserve

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

// body is a request's, as the handler reads it.
type body struct {
	conn       *conn
	content    io.ReadCloser
	isExpected bool        // the client waits until it is asked for
	isRead     atomic.Bool // to its end: what comes after it is the next request
}

// open takes over the body of a request.
func (b *body) open(r *http.Request) {
	b.content = r.Body
	b.isRead.Store(r.Body == http.NoBody || r.ContentLength == 0)
	b.isExpected = !b.isRead.Load() && r.ProtoAtLeast(1, 1) && expectsContinue(r)
	if !b.isRead.Load() {
		r.Body = b
	}
}

// expectsContinue reports whether a client waits until its request's body is asked for.
func expectsContinue(r *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
}

func (b *body) Read(p []byte) (n int, err error) {
	if b.isExpected {
		b.isExpected = false
		c := b.conn
		c.extend(&c.sendUntil, c.server.AnswerTimeout, c.net.SetWriteDeadline)
		if _, err := io.WriteString(c.net, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	n, err = b.content.Read(p)
	if errors.Is(err, io.EOF) {
		b.isRead.Store(true)
	}
	return n, err
}

// Close does nothing: what is left is read when the handler is done.
func (b *body) Close() error { return nil }
