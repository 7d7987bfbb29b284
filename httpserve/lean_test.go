package httpserve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla/httpserve"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second // for what comes as soon as it can

// lean returns a server with limits that no test reaches by chance.
func lean(handler http.Handler) *httpserve.Lean {
	return &httpserve.Lean{Handler: handler, Log: slog.New(slog.DiscardHandler), MaxConnections: 100, MaxHeaderBytes: 64 << 10,
		HeaderTimeout: patience, BodyTimeout: patience, AnswerTimeout: patience, IdleTimeout: patience, Patience: patience}
}

// start serves, and returns where, and what ends it.
func start(t *testing.T, s *httpserve.Lean) (address string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String(), serveOn(t, s, listener)
}

func serveOn(t *testing.T, s *httpserve.Lean, listener net.Listener) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	var err error
	done := false
	stop = func() error {
		if cancel(); !done {
			err, done = <-served, true
		}
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

// client is a connection of raw bytes.
type client struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{Conn: conn, t: t, in: bufio.NewReader(conn)}
}

func (c *client) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// hear returns one answer as "status body", and whether the connection goes on after it.
func (c *client) hear(method string) (said string, goesOn bool) {
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return "closed", false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "half an answer", false
	}
	return fmt.Sprintf("%d %s", r.StatusCode, body), !r.Close
}

func (c *client) expect(want string) {
	c.t.Helper()
	if said, _ := c.hear("GET"); said != want {
		c.t.Errorf("got %.200q, want %.200q", said, want)
	}
}

// tell answers with what the request was.
var tell = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body did not arrive", http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s %q %q %d %q", r.Method, r.RequestURI, r.Host, r.Header.Get("X-One"), len(r.Header["X-One"]), body)
})

// dialogs are what clients send, all at once, and then end their half.
var dialogs = map[string]string{
	"a request":                        "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n",
	"a body":                           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
	"a body in chunks":                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
	"chunks with a trailer":            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
	"three at once":                    "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nokGET /3 HTTP/1.1\r\nHost: h\r\n\r\n",
	"the last of them":                 "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
	"HTTP/1.0":                         "GET / HTTP/1.0\r\n\r\n",
	"HTTP/1.0 with a body":             "POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/3.0":                         "GET / HTTP/3.0\r\nHost: h\r\n\r\n",
	"no version":                       "GET /\r\n\r\n",
	"no HTTP at all":                   "hello\r\n\r\n",
	"a TLS hello":                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	"no host":                          "GET / HTTP/1.1\r\n\r\n",
	"two hosts":                        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"a host that is none":              "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"a whole address":                  "GET http://other/x HTTP/1.1\r\nHost: h\r\n\r\n",
	"an address that is none":          "GET :// HTTP/1.1\r\nHost: h\r\n\r\n",
	"a method that is none":            "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
	"a name with a space":              "GET / HTTP/1.1\r\nHost: h\r\nX One: 1\r\n\r\n",
	"a space before the colon":         "GET / HTTP/1.1\r\nHost: h\r\nX-One : 1\r\n\r\n",
	"a value with a zero":              "GET / HTTP/1.1\r\nHost: h\r\nX-One: a\x00b\r\n\r\n",
	"a folded value":                   "GET / HTTP/1.1\r\nHost: h\r\nX-One: a\r\n b\r\n\r\n",
	"a value twice":                    "GET / HTTP/1.1\r\nHost: h\r\nX-One: a\r\nx-one: b\r\n\r\n",
	"only newlines":                    "GET / HTTP/1.1\nHost: h\n\n",
	"two lengths":                      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	"the same length twice":            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
	"a length below zero":              "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
	"a length with a plus":             "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na",
	"a length and chunks":              "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
	"chunks that are none":             "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	"a body that ends early":           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel",
	"a header that ends early":         "GET / HTTP/1.1\r\nHost: h\r\nX-O",
	"nothing":                          "",
	"an empty line before the second":  "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
	"expects to be asked for its body": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na",
	"expects something else":           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: tea\r\n\r\na",
}

// play sends a dialog and returns the answers.
func play(t *testing.T, address, text string) (said []string) {
	c := dial(t, address)
	c.say(text)
	if half, ok := c.Conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	for range 10 {
		one, goesOn := c.hear("GET")
		if said = append(said, one); !goesOn {
			break
		}
	}
	return said
}

// TestAnswersAsTheStandardLibrary: both servers, the same bytes. Texts of errors may differ.
func TestAnswersAsTheStandardLibrary(t *testing.T) {
	standard := httptest.NewServer(tell)
	defer standard.Close()
	address, _ := start(t, lean(tell))
	for name, text := range dialogs {
		want := play(t, standard.Listener.Addr().String(), text)
		got := play(t, address, text)
		if !isSame(want, got) {
			t.Errorf("%s: got %q, the standard library says %q", name, got, want)
		}
	}
}

func isSame(want, got []string) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if strings.HasPrefix(want[i], "200 ") || want[i] == "closed" {
			if want[i] != got[i] {
				return false
			}
			continue
		}
		if want[i][:1] != got[i][:1] { // the class of the status
			return false
		}
	}
	return true
}

// FuzzRequests: whatever comes, both servers see the same requests in it. What is for the server as a
// whole (OPTIONS *), or leads to HTTP/2, the standard library treats by itself.
func FuzzRequests(f *testing.F) {
	for _, text := range dialogs {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("OPTIONS *")) || bytes.Contains(text, []byte("PRI *")) {
			return
		}
		if standard, ours := seen(t, text, serveStandard), seen(t, text, serveLean); standard != ours {
			t.Errorf("got %q, the standard library sees %q", ours, standard)
		}
	})
}

// seen returns what a server's handler saw of bytes.
func seen(t *testing.T, text []byte, serve func(*testing.T, http.Handler, net.Listener)) string {
	var saw strings.Builder
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Host == "" || r.URL.Host != "" {
			panic(http.ErrAbortHandler) // the standard library can tell whether there was a line with the host
		}
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(&saw, "%s %s %q %v %q %v\n", r.Method, r.RequestURI, r.Host, r.Header, body, err == nil)
	})
	c := &recorded{text: bytes.NewReader(text), closed: make(chan struct{})}
	serve(t, handler, &oneConn{conn: c, closed: c.closed})
	return saw.String()
}

// recorded is a connection of which all that comes is known.
type recorded struct {
	net.Conn // nil
	text     *bytes.Reader
	once     sync.Once
	closed   chan struct{}
}

func (c *recorded) Read(p []byte) (int, error)       { return c.text.Read(p) }
func (c *recorded) Write(p []byte) (int, error)      { return len(p), nil }
func (c *recorded) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *recorded) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *recorded) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *recorded) SetDeadline(time.Time) error      { return nil }
func (c *recorded) SetReadDeadline(time.Time) error  { return nil }
func (c *recorded) SetWriteDeadline(time.Time) error { return nil }

// oneConn is a listener that has one connection, and fails when that is closed.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

func serveStandard(_ *testing.T, handler http.Handler, listener net.Listener) {
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	_ = server.Serve(listener)
	_ = server.Shutdown(context.Background())
}

func serveLean(t *testing.T, handler http.Handler, listener net.Listener) {
	if err := lean(handler).Serve(t.Context(), listener); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestHeaders(t *testing.T) {
	address, _ := start(t, lean(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/split":
			w.Header().Set("X-One", "a\r\nX-Two: b")
			w.Header()["X Three"] = []string{"c"}
		case "/length":
			w.Header().Set("Content-Length", "1000")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
			if _, err := io.WriteString(w, "no"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Error(err)
			}
			return
		case "/last":
			w.Header().Set("Connection", "close")
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		}
		w.WriteHeader(http.StatusContinue) // is not sent
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // too late
		_, _ = io.WriteString(w, "<p>tea")
	})))
	ask := func(method, path string) *http.Response {
		c := dial(t, address)
		c.say(method + " " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		r, err := http.ReadResponse(c.in, &http.Request{Method: method})
		if err != nil {
			t.Fatal(path, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(path, err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return r
	}
	r := ask("GET", "/split")
	if r.StatusCode != http.StatusTeapot || r.Header.Get("X-One") != "a  X-Two: b" || r.Header.Get("X-Two") != "" || len(r.Header) != 4 {
		t.Error(r.StatusCode, r.Header)
	}
	if at, err := http.ParseTime(r.Header.Get("Date")); err != nil || time.Since(at).Abs() > time.Minute {
		t.Error(r.Header, err)
	}
	if r.Header.Get("Content-Type") != "text/html; charset=utf-8" || r.ContentLength != 6 {
		t.Error(r.Header, r.ContentLength)
	}
	if r := ask("GET", "/length"); r.ContentLength != 6 {
		t.Error("a length that is not true is sent:", r.ContentLength)
	}
	if r := ask("HEAD", "/"); r.ContentLength != 6 {
		t.Error(r.ContentLength)
	}
	if r := ask("GET", "/none"); r.StatusCode != http.StatusNoContent || r.Header.Get("Content-Length") != "" {
		t.Error(r.StatusCode, r.Header)
	}
	if r := ask("GET", "/last"); !r.Close {
		t.Error("the handler wanted the connection to end")
	}
	if r := ask("GET", "/large"); r.ContentLength != 1<<20+6 {
		t.Error(r.ContentLength)
	}
}

// TestClientThatGoes: the context of what is answered for long ends when its client has gone,
// and not when it sends the next request.
func TestClientThatGoes(t *testing.T) {
	asked, told := make(chan string, 2), make(chan struct{})
	gone := make(chan error, 1)
	address, _ := start(t, lean(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		switch r.URL.Path {
		case "/goes":
			httpserve.Watch(r.Context())
			httpserve.Watch(r.Context()) // once is enough
			<-r.Context().Done()
			gone <- r.Context().Err()
		case "/stays":
			select {
			case <-told:
			case <-r.Context().Done():
				t.Error("a client that is there counts as gone")
			}
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})))
	c := dial(t, address)
	c.say("POST /stays HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
	if body := <-asked; body != "ab" {
		t.Error(body)
	}
	<-time.After(3 * httpserve.WatchAfter)
	c.say("POST /next HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\ncd")
	<-time.After(3 * httpserve.WatchAfter)
	close(told)
	c.expect("200 /stays")
	c.expect("200 /next")
	if body := <-asked; body != "cd" {
		t.Error(body)
	}
	c.say("GET /goes HTTP/1.1\r\nHost: h\r\n\r\n")
	<-asked
	_ = c.Close()
	select {
	case err := <-gone:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("nobody notices that the client has gone")
	}
}

// TestBodyThatComesLate: nobody takes its bytes for the next request's.
func TestBodyThatComesLate(t *testing.T) {
	address, _ := start(t, lean(tell))
	c := dial(t, address)
	c.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na")
	<-time.After(3 * httpserve.WatchAfter)
	c.say("b")
	<-time.After(3 * httpserve.WatchAfter)
	c.say("cdGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect(`200 POST / "h" "" 0 "abcd"`)
	c.expect(`200 GET /2 "h" "" 0 ""`)
}

func TestBodyThatIsNotRead(t *testing.T) {
	address, _ := start(t, lean(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })))
	c := dial(t, address)
	c.say("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000) + "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect("200 /1")
	c.expect("200 /2")
	c.say("POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
	if said, goesOn := c.hear("POST"); said != "200 /3" || goesOn {
		t.Error("what was not asked for may come or not:", said, goesOn)
	}
	c = dial(t, address)
	c.say("POST /4 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n" + strings.Repeat("x", 300<<10))
	if said, goesOn := c.hear("POST"); said != "200 /4" || goesOn {
		t.Error("a body that nobody wants is read to its end:", said, goesOn)
	}
}

func TestBodyThatIsAskedFor(t *testing.T) {
	address, _ := start(t, lean(tell))
	c := dial(t, address)
	c.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if line, err := c.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatal(line, err)
	}
	_, _ = c.in.ReadString('\n')
	c.say("ok")
	c.expect(`200 POST / "h" "" 0 "ok"`)
}

func TestLargeHeaders(t *testing.T) {
	s := lean(tell)
	s.MaxHeaderBytes = 4 << 10
	address, _ := start(t, s)
	c := dial(t, address)
	c.say("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 3<<10) + "\r\n\r\n")
	c.expect(`200 GET / "h" "" 0 ""`)
	large := dial(t, address)
	large.say("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n")
	large.expect("431 the header is too large\n")
	large.expect("closed")
}

func TestConnectionsBeyondTheLimit(t *testing.T) {
	s := lean(tell)
	s.MaxConnections = 2
	address, _ := start(t, s)
	first := dial(t, address)
	first.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	first.expect(`200 GET / "h" "" 0 ""`)
	second := dial(t, address)
	second.say("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
	second.expect(`200 GET /2 "h" "" 0 ""`)
	third := dial(t, address)
	third.expect("closed")
	_ = second.Close()
	for range 1000 { // until the server has noticed
		fourth := dial(t, address)
		fourth.say("GET /4 HTTP/1.1\r\nHost: h\r\n\r\n")
		if said, _ := fourth.hear("GET"); said != "closed" {
			return
		}
	}
	t.Error("there is no room where one has gone")
}

// TestTimeouts: who does not go on is not waited for.
func TestTimeouts(t *testing.T) {
	short := 50 * time.Millisecond
	for _, c := range []struct {
		name, text string
		set        func(*httpserve.Lean)
	}{
		{"nothing", "", func(s *httpserve.Lean) { s.IdleTimeout = short }},
		{"half a header", "GET / HT", func(s *httpserve.Lean) { s.HeaderTimeout = short }},
		{"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na", func(s *httpserve.Lean) { s.BodyTimeout = short }},
	} {
		s := lean(tell)
		c.set(s)
		address, stop := start(t, s)
		k := dial(t, address)
		k.say(c.text)
		if said, goesOn := k.hear("GET"); goesOn || said != "closed" && !strings.HasPrefix(said, "400 ") {
			t.Errorf("%s: %q, %v", c.name, said, goesOn)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	s := lean(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<20)) }))
	s.AnswerTimeout = short
	address, stop := start(t, s)
	dial(t, address).say("GET / HTTP/1.1\r\nHost: h\r\n\r\n") // and never reads
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestEnd: what is being answered is answered, and all else ends.
func TestEnd(t *testing.T) {
	asked := make(chan struct{})
	s := lean(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		_, _ = io.WriteString(w, "the last")
	}))
	address, stop := start(t, s)
	idle, busy := dial(t, address), dial(t, address)
	busy.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	busy.expect("200 the last")
	busy.expect("closed")
	idle.expect("closed")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is open")
	}
}

func TestEndWithoutPatience(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := lean(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(asked); <-release }))
	s.Patience = 10 * time.Millisecond
	address, stop := start(t, s)
	c := dial(t, address)
	c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	c.expect("closed")
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestHandlerThatPanics(t *testing.T) {
	var log bytes.Buffer
	s := lean(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("oh")
	}))
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	address, stop := start(t, s)
	for _, path := range []string{"/abort", "/"} {
		c := dial(t, address)
		c.say("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
		c.expect("closed")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if strings.Count(log.String(), "this is a bug") != 1 {
		t.Error(log.String())
	}
}

func TestTLS(t *testing.T) {
	model := httptest.NewUnstartedServer(nil) // for its certificate
	model.StartTLS()
	defer model.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, lean(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS != nil && r.TLS.HandshakeComplete)
	})), tls.NewListener(listener, &tls.Config{Certificates: model.TLS.Certificates}))
	k := model.Client()
	defer k.CloseIdleConnections()
	for range 3 {
		r, err := k.Get("https://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if string(body) != "true" {
			t.Errorf("%s", body)
		}
	}
	plain := dial(t, listener.Addr().String())
	plain.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if said, _ := plain.hear("GET"); said != "400 This port speaks HTTPS.\n" {
		t.Error(said)
	}
}

// TestListenerThatFails: it is told, and what was accepted ends.
func TestListenerThatFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- lean(tell).Serve(t.Context(), listener) }()
	c := dial(t, listener.Addr().String())
	c.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect(`200 GET / "h" "" 0 ""`)
	_ = listener.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	c.expect("closed")
}
