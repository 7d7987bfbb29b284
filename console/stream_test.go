package console

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/cluster"
)

// wire is a listener with one connection that holds nothing: what is not read is not sent.
type wire struct {
	conn chan net.Conn
	end  chan struct{}
}

func (w wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conn:
		return c, nil
	case <-w.end:
		return nil, net.ErrClosed
	}
}

func (w wire) Close() error   { return nil }
func (w wire) Addr() net.Addr { return &net.TCPAddr{} }

// TestAPageThatDoesNotReadIsCutOff: nothing is kept for it, and its place is free again. One
// that reads is told of what there is, and stays.
func TestAPageThatDoesNotReadIsCutOff(t *testing.T) {
	nodes := []flotilla.NodeInfo{{ID: 1, Host: "127.0.0.1"}}
	c := New(Options{Status: func() cluster.Status { return cluster.Status{} }, Host: knownHost{self: 1, nodes: &nodes}})
	c.patience = 50 * time.Millisecond
	ended := make(chan struct{}, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.ServeHTTP(w, r)
		ended <- struct{}{}
	})
	listener := wire{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: handler}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		close(listener.end)
		_ = server.Close()
		<-served
	}()
	ask := func() net.Conn {
		here, there := net.Pipe()
		listener.conn <- there
		if _, err := io.WriteString(here, "GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return here
	}

	lazy := ask()
	<-ended
	c.watcher.mu.Lock()
	pages := c.watcher.pages
	c.watcher.mu.Unlock()
	if pages != 0 {
		t.Errorf("%d pages are open after the only one was cut off", pages)
	}
	_ = lazy.Close()

	reader := ask()
	defer reader.Close()
	lines, seen := bufio.NewScanner(reader), ""
	for lines.Scan() && !strings.HasPrefix(seen, "event: clock") {
		seen = lines.Text()
	}
	select {
	case <-ended:
		t.Errorf("a page that reads was cut off, after %q", seen)
	default:
	}
}
