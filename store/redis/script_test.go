package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"flotilla"
)

// The scripts in testdata are conversations:
//
//	cluster nodes=2 groups=2 password=p   a fresh cluster, before anything else; leaders has it show them
//	a [n=2] [replies=3]                    client a (of node n) sends the lines below as one pipeline,
//	                                       and gets one reply for each of them, unless told otherwise
//	a raw [replies=0]                      the same with bytes as they are, with Go's escapes; lines are joined
//	a read [replies=1]                     client a waits for more
//	a close, a gone                        hangs up; waits until the server has
//	await blocked=1 | connections=1        until the servers' Stats say so
//	copies group=1 n=1                     how many replicas have what was written to a group
//	fail [reason=busy] [unknown]           calls fail from now on, or no longer
//
// A reply is printed as it came, a line for each line.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{t: t, clients: map[string]*rawClient{}}
		defer s.closeAll()
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	t       *testing.T
	lab     *lab
	clients map[string]*rawClient
	failure failureBox
	copies  [8]atomic.Int64 // by group
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	if s.lab == nil || d.Cmd == "cluster" {
		s.cluster(d)
		if d.Cmd == "cluster" {
			return ""
		}
	}
	switch d.Cmd {
	case "await":
		return s.await(d)
	case "fail":
		return s.fail(d)
	case "copies":
		group, n := 1, int64(0)
		d.MaybeScanArgs(t, "group", &group)
		d.ScanArgs(t, "n", &n)
		s.copies[group].Store(n)
		return ""
	}
	c := s.client(d)
	input := d.Input
	switch {
	case d.HasArg("close"):
		_ = c.Close()
		delete(s.clients, d.Cmd)
		return ""
	case d.HasArg("gone"):
		rest, err := io.ReadAll(c.in)
		if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			return fmt.Sprintf("still there: %v\n", err)
		}
		return string(rest) + "gone\n"
	case d.HasArg("read"):
		return c.replies(replyCount(d, 1))
	case d.HasArg("raw"):
		c.send(unescape1(t, input))
		return c.replies(replyCount(d, 1))
	}
	lines := strings.Split(strings.TrimSpace(input), "\n")
	var out []byte
	for _, line := range lines {
		words, ok := splitWords(nil, []byte(line))
		if !ok {
			t.Fatalf("quotes: %s", line)
		}
		out = appendCommand(out, words)
	}
	c.send(out)
	return c.replies(replyCount(d, len(lines)))
}

func (s *script) cluster(d *datadriven.TestData) {
	s.closeAll()
	nodes, groups, password, maxClients := 1, 1, "", 0
	if d.Cmd == "cluster" {
		d.MaybeScanArgs(s.t, "nodes", &nodes)
		d.MaybeScanArgs(s.t, "groups", &groups)
		d.MaybeScanArgs(s.t, "password", &password)
		d.MaybeScanArgs(s.t, "maxclients", &maxClients)
	}
	s.lab = newLab(s.t, nodes, groups, func(server *Server) {
		server.Password, server.MaxClients, server.ShowLeaders = password, maxClients, d.HasArg("leaders")
	})
	s.lab.Fail = s.failure.next
	s.lab.Copies = func(group flotilla.GroupID, _ uint64) int { return int(s.copies[group].Load()) }
}

func (s *script) closeAll() {
	for name, c := range s.clients {
		_ = c.Close()
		delete(s.clients, name)
	}
}

func (s *script) client(d *datadriven.TestData) *rawClient {
	if c := s.clients[d.Cmd]; c != nil {
		return c
	}
	node := 1
	d.MaybeScanArgs(s.t, "n", &node)
	s.clients[d.Cmd] = dialRaw(s.t, s.lab.addrs[node-1])
	return s.clients[d.Cmd]
}

func (s *script) await(d *datadriven.TestData) string {
	for range 500 {
		isReached := true
		for _, arg := range d.CmdArgs {
			got := 0
			for _, server := range s.lab.servers {
				stats := server.Stats()
				got += map[string]int{"blocked": stats.Blocked, "connections": stats.Connections, "subscribers": stats.Subscribers}[arg.Key]
			}
			isReached = isReached && strconv.Itoa(got) == arg.Vals[0]
		}
		if isReached {
			return ""
		}
		<-time.After(10 * time.Millisecond)
	}
	return "never\n"
}

func (s *script) fail(d *datadriven.TestData) string {
	if !d.HasArg("reason") {
		s.failure.set(nil)
		return ""
	}
	var name string
	d.ScanArgs(s.t, "reason", &name)
	reason := map[string]flotilla.Reason{"noquorum": flotilla.NoQuorum, "busy": flotilla.Busy, "diskfull": flotilla.DiskFull,
		"timeout": flotilla.Timeout, "toolarge": flotilla.TooLarge}[name]
	err := flotilla.Refused(reason, "")
	if d.HasArg("unknown") {
		err = flotilla.Unknown(reason, "")
	}
	group := flotilla.GroupID(0)
	if d.HasArg("group") {
		var n int
		d.ScanArgs(s.t, "group", &n)
		group = flotilla.GroupID(n)
	}
	onlyWrites := d.HasArg("writes")
	s.failure.set(func(call *flotilla.Call) error {
		if onlyWrites && call.IsRead || group != 0 && call.Group != group {
			return nil
		}
		return err
	})
	return ""
}

func replyCount(d *datadriven.TestData, otherwise int) int {
	if d.HasArg("replies") {
		n, err := strconv.Atoi(d.CmdArgs[len(d.CmdArgs)-1].Vals[0])
		if err == nil {
			return n
		}
	}
	return otherwise
}

func unescape1(t *testing.T, input string) []byte {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(input, "\n", ""), `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("bad escapes in %q: %v", input, err)
	}
	return []byte(text)
}

// rawClient speaks the protocol without knowing it.
type rawClient struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func dialRaw(t testing.TB, addr string) *rawClient {
	t.Helper()
	socket, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return &rawClient{Conn: socket, t: t, in: bufio.NewReader(socket)}
}

func (c *rawClient) send(b []byte) {
	c.t.Helper()
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(b); err != nil {
		c.t.Logf("send: %v", err)
	}
}

// do sends one command and returns the reply.
func (c *rawClient) do(args ...string) string {
	words := make([][]byte, len(args))
	for i := range args {
		words[i] = []byte(args[i])
	}
	c.send(appendCommand(nil, words))
	return c.replies(1)
}

func (c *rawClient) replies(n int) string {
	var out strings.Builder
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	for range n {
		if err := readReply(c.in, &out); err != nil {
			fmt.Fprintf(&out, "(%v)\n", strings.TrimPrefix(err.Error(), "read tcp "+c.LocalAddr().String()+"->"+c.RemoteAddr().String()+": "))
			break
		}
	}
	return out.String()
}

// readReply copies one whole reply, with plain line ends.
func readReply(in *bufio.Reader, out *strings.Builder) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	out.WriteString(strings.TrimSuffix(line, "\r\n") + "\n")
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return nil
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		out.WriteString(strings.ReplaceAll(string(body[:n]), "\r\n", "\n") + "\n")
		return nil
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return nil
	}
	for range n {
		if err := readReply(in, out); err != nil {
			return err
		}
	}
	return nil
}

func appendCommand(dst []byte, args [][]byte) []byte {
	dst = fmt.Appendf(dst, "*%d\r\n", len(args))
	for _, arg := range args {
		dst = fmt.Appendf(dst, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return dst
}
