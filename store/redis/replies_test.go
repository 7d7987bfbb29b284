package redis

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// oneLine sends a command and returns the first line of its answer.
func oneLine(t *testing.T, c net.Conn, in *bufio.Reader, command string) string {
	t.Helper()
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// A client that does not read its large reply keeps the memory that replies share: others
// are asked to try again, but for small replies, until it reads or is cut off.
func TestUnreadRepliesAreBounded(t *testing.T) {
	const size = 12 << 20
	l := newLab(t, 1, 1, func(s *Server) { s.ReplyBytes, s.writeTime = 3*size, 2*time.Second })
	dial := func() (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c, bufio.NewReader(c)
	}
	lazy, _ := dial()
	other, in := dial()
	if got := oneLine(t, other, in, "SET k small"); got != "+OK" {
		t.Fatal(got)
	}
	if got := oneLine(t, other, in, fmt.Sprintf("SETRANGE large %d x", size-1)); got != fmt.Sprintf(":%d", size) {
		t.Fatal(got)
	}
	if _, err := fmt.Fprint(lazy, "GET large\r\n"); err != nil {
		t.Fatal(err)
	}
	for l.servers[0].replies.used.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	if got := oneLine(t, other, in, "GET large"); !strings.HasPrefix(got, "-TRYAGAIN replies") {
		t.Errorf("a second large reply: %.80s", got)
	}
	if got := oneLine(t, other, in, "GET k"); got != "$5" {
		t.Errorf("a small reply: %s", got)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for l.servers[0].replies.used.Load() > 0 { // the lazy client is cut off
		<-time.After(10 * time.Millisecond)
	}
	if got := oneLine(t, other, in, "GET large"); got != fmt.Sprintf("$%d", size) {
		t.Errorf("after the slow client: %.80s", got)
	}
	if _, err := in.Discard(size + 2); err != nil {
		t.Fatal(err)
	}
	if got := l.servers[0].Stats().SlowReadersCutOff; got != 1 {
		t.Errorf("%d slow readers were cut off", got)
	}
	if got := oneLine(t, other, in, "PING"); got != "+PONG" { // the answer before it was given back in full
		t.Error(got)
	}
	if used := l.servers[0].replies.used.Load(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
}

// A SORT that stores nothing is a read, which may visit more than a write.
func TestSortOfManyElementsIsARead(t *testing.T) {
	l := newLab(t, 1, 1, func(*Server) {})
	c, err := net.Dial("tcp", l.addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	const pushes, each = 26, 2000
	for i := range pushes {
		got := oneLine(t, c, in, "RPUSH {l}a"+strings.Repeat(fmt.Sprintf(" %d", i), each))
		if got != fmt.Sprintf(":%d", (i+1)*each) {
			t.Fatal(got)
		}
	}
	if got := oneLine(t, c, in, "SORT {l}a LIMIT 0 1 STORE {l}b"); !strings.HasPrefix(got, "-ERR the command would visit more than") {
		t.Error(got)
	}
	if got := oneLine(t, c, in, "SORT {l}a DESC LIMIT 0 1"); got != "*1" {
		t.Fatal(got)
	}
	for _, want := range []string{"$2", fmt.Sprint(pushes - 1)} {
		if got, err := in.ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%q, %v; want %s", got, err, want)
		}
	}
	if got := oneLine(t, c, in, "SORT {l}a STORE"); got != "-ERR syntax error" {
		t.Error(got)
	}
}
