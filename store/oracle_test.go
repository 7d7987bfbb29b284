package store

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla"
)

// oracle is a real Redis that is asked the same as the machine.
type oracle struct {
	conn net.Conn
	in   *bufio.Reader
}

// startOracle runs redis-server on a socket of its own, or skips the test.
func startOracle(t *testing.T, protocol int) *oracle {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed: no oracle to compare with")
	}
	socket := filepath.Join(t.TempDir(), "s")
	server := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "eady to accept connections") {
	}
	go io.Copy(io.Discard, out)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	o := &oracle{conn: conn, in: bufio.NewReader(conn)}
	if protocol == 3 {
		o.ask(t, "HELLO", "3")
	}
	return o
}

// ask returns the bytes of Redis's reply.
func (o *oracle) ask(t *testing.T, args ...string) []byte {
	request := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	o.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := o.conn.Write(request); err != nil {
		t.Fatal(err)
	}
	return o.reply(t, nil)
}

func (o *oracle) reply(t *testing.T, dst []byte) []byte {
	line, err := o.in.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	dst = append(dst, line...)
	n, _ := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	switch line[0] {
	case '$', '=':
		if n >= 0 {
			body := make([]byte, n+2)
			if _, err := io.ReadFull(o.in, body); err != nil {
				t.Fatal(err)
			}
			dst = append(dst, body...)
		}
	case '*', '~', '%':
		if line[0] == '%' {
			n *= 2
		}
		for range n {
			dst = o.reply(t, dst)
		}
	}
	return dst
}

// inNoOrder are commands whose reply has the same items in any order; those in
// pairsInNoOrder have them in pairs.
var (
	inNoOrder      = []string{"keys", "smembers", "sunion", "sinter", "sdiff", "hkeys", "hvals"}
	pairsInNoOrder = []string{"hgetall"}
)

// canonical makes replies that mean the same the same.
func canonical(command string, reply []byte) string {
	size := 0
	switch {
	case slices.Contains(inNoOrder, command):
		size = 1
	case slices.Contains(pairsInNoOrder, command):
		size = 2
	}
	if len(reply) == 0 || size == 0 || !strings.ContainsRune("*~%", rune(reply[0])) {
		return string(reply)
	}
	head, rest, _ := bytes.Cut(reply, []byte("\n"))
	var items []string
	for len(rest) > 0 {
		start := len(rest)
		whole := rest
		for range size {
			_, rest = readableItem(rest)
		}
		items = append(items, string(whole[:start-len(rest)]))
	}
	sort.Strings(items)
	return string(head) + "\n" + strings.Join(items, "")
}

// compareWithRedis sends the same random commands to a machine and to Redis and
// fails at the first that is answered differently, in both protocols. about
// says whether two different replies to a command are still good; it may be nil.
func compareWithRedis(t *testing.T, steps int, generate func(r *rand.Rand) []string,
	about func(args []string, ours, theirs string) bool) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			o, l := startOracle(t, protocol), newLab()
			r := rand.New(rand.NewPCG(uint64(protocol), 7))
			var history []string
			for range steps {
				args := generate(r)
				history = append(history, fmt.Sprintf("%.300q", args))
				l.time = max(l.time, flotilla.Millis(time.Now().UnixMilli()))
				reply := l.raw(args...)
				theirs := canonical(strings.ToLower(args[0]), o.ask(t, args...))
				render := RenderRESP2
				if protocol == 3 {
					render = RenderRESP3
				}
				ours := canonical(strings.ToLower(args[0]), render(nil, reply))
				if ours != theirs && (about == nil || !about(args, ours, theirs)) {
					t.Fatalf("%.300q:\n ours   %.1000q\n theirs %.1000q\nafter\n%s", args, ours, theirs,
						strings.Join(history[max(0, len(history)-25):], "\n"))
				}
			}
		})
	}
}

// pick returns one of the choices.
func pick(r *rand.Rand, choices ...string) string { return choices[r.IntN(len(choices))] }
