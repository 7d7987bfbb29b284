package redis

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla"
)

// lockedBuffer is a log that several goroutines write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Who speaks HTTP or TLS is closed at once without an answer; one line a second
// says so, and not what was sent.
func TestOtherProtocolsAreClosed(t *testing.T) {
	var log lockedBuffer
	l := newLab(t, 1, 1, func(s *Server) { s.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	l.servers[0].lastDrop.Store(time.Now().Add(time.Hour).UnixMilli()) // silent
	for _, hello := range []string{"GET /secret HTTP/1.1\r\n", "\x16\x03\x01\x02secret"} {
		c := dialRaw(t, l.addrs[0])
		c.send([]byte(hello))
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if got, err := io.ReadAll(c); len(got) > 0 || isTimeout(err) {
			t.Errorf("%q was answered %q, %v", hello, got, err)
		}
		_ = c.Close()
	}
	if got := log.String(); got != "" {
		t.Errorf("the limit did not hold: %s", got)
	}
	l.servers[0].lastDrop.Store(0)
	c := dialRaw(t, l.addrs[0])
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	err := tls.Client(c, &tls.Config{ServerName: "secret"}).Handshake()
	if err == nil || isTimeout(err) {
		t.Errorf("a TLS handshake ended with %v", err)
	}
	got := log.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=INFO") || !strings.Contains(got, "without TLS") || strings.Contains(got, "secret") {
		t.Errorf("log: %s", got)
	}
	for _, test := range []struct {
		httpPort int
		want     string
	}{{0, "no web page"}, {8081, "http://127.0.0.1:8081/"}} {
		l.Change(func(t *flotilla.Topology) { t.Nodes[0].HTTPPort = test.httpPort })
		before := len(log.String())
		l.servers[0].lastDrop.Store(0)
		for range 2 { // a second line would come too soon
			c := dialRaw(t, l.addrs[0])
			c.send([]byte("POST / HTTP/1.1\r\n"))
			if _, err := io.ReadAll(c); isTimeout(err) {
				t.Error("it was not closed")
			}
			_ = c.Close()
		}
		if got := log.String()[before:]; strings.Count(got, "\n") != 1 || !strings.Contains(got, test.want) {
			t.Errorf("log: %s", got)
		}
	}
	if n := l.servers[0].Stats().CrossProtocolDrops; n != 7 {
		t.Errorf("%d drops", n)
	}
}
