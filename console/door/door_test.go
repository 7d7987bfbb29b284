package door

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
)

// TestReplies: every kind of reply is read, and what is damaged or too large is refused
// before memory is taken for it.
func TestReplies(t *testing.T) {
	for wire, want := range map[string]string{
		"+OK\r\n":                          "+OK",
		"-ERR no\r\n":                      "-ERR no",
		"$5\r\nhe\r\no\r\n":                "$he\r\no",
		"_\r\n":                            "_",
		"!_\r\n":                           "_",
		"$-1\r\n":                          "_",
		"*2\r\n:1\r\n*1\r\n#t\r\n":         "*(:1 *(#t))",
		"%1\r\n+a\r\n,1.5\r\n":             "%(+a ,1.5)",
		"^1\r\n+a\r\n,1\r\n":               "^(+a ,1)",
		"*0\r\n":                           "*()",
		"*9999999\r\n":                     ErrTooLarge.Error(),
		"$9999999\r\n":                     ErrTooLarge.Error(),
		"$-7\r\n":                          errReply.Error(),
		"?\r\n":                            errReply.Error(),
		strings.Repeat("*1\r\n", 20) + "+": errReply.Error(),
		"*2\r\n+a\r\n":                     "EOF",
		"$3\r\nab":                         "unexpected EOF",
	} {
		r, err := Parse([]byte(wire))
		got := show(r)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q is read as %s, want %s", wire, got, want)
		}
	}
}

func show(r Reply) string {
	if r.Kind != '*' && r.Kind != '%' && r.Kind != '^' {
		return string(r.Kind) + string(r.Text)
	}
	var parts []string
	for _, i := range r.Items {
		parts = append(parts, show(i))
	}
	return string(r.Kind) + "(" + strings.Join(parts, " ") + ")"
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("*2\r\n:1\r\n$1\r\na\r\n"))
	f.Add([]byte("%1\r\n+a\r\n!_\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) { _, _ = Parse(wire) })
}

// TestPipeIsAListener: what is dialed is accepted, and nobody waits after it was closed.
func TestPipeIsAListener(t *testing.T) {
	p := NewPipe()
	go func() {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		in := bufio.NewReader(conn)
		for range 5 { // *2 $5 HELLO $1 3
			_, _ = in.ReadString('\n')
		}
		_, _ = conn.Write([]byte("%1\r\n+proto\r\n:3\r\n"))
	}()
	c, err := Open(t.Context(), p, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(), p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Dial(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("after it was closed: %v", err)
	}
}
