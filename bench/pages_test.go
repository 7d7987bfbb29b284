package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPagesStayOpen: pages read what is pushed until they are closed, and one that the
// node cuts off is told of.
func TestPagesStayOpen(t *testing.T) {
	const pushed = "event: picture\n\n"
	end := make(chan struct{})
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/stream" {
			t.Errorf("a page asks for %s", r.URL)
		}
		_, _ = io.WriteString(w, pushed)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	defer node.Close()
	p := Pages{Addresses: []string{node.Listener.Addr().String()}, Count: 3}
	o, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := o.close(); err != nil {
		t.Error(err)
	}
	if o, err = p.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(end)
	if o.readers.Wait(); o.bytes.Load() != 3*int64(len(pushed)) {
		t.Errorf("three pages read %d bytes of %q each", o.bytes.Load(), pushed)
	}
	if err := o.close(); err == nil || !strings.Contains(err.Error(), "3 pages of the console were cut off") {
		t.Errorf("pages that were cut off: %v", err)
	}
}

func TestPagesThatCanNotBeOpened(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
	}))
	defer node.Close()
	here := []string{node.Listener.Addr().String()}
	for _, c := range []struct {
		pages Pages
		want  string
	}{{Pages{here, 1}, "it answers 503"}, {Pages{here, -1}, "-1 pages: give 0 to"}, {Pages{here, 1000}, "1000 pages: give 0 to"}, {Pages{nil, 1}, "no console"}} {
		if o, err := c.pages.open(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.pages, err, c.want)
			if o != nil {
				_ = o.close()
			}
		}
	}
}
