package redis

import (
	"bytes"
	"fmt"
	"testing"

	"flotilla/store"
)

// feed gives a parser bytes in pieces and collects what it cuts out.
func feed(p *parser, input []byte, piece int) (commands [][][]byte, err error) {
	for len(input) > 0 {
		n := copy(p.free(), input[:min(piece, len(input))])
		p.filled(n)
		input = input[n:]
		for {
			args, e := p.command()
			if e == errTooLarge {
				commands = append(commands, [][]byte{[]byte("(too large)")})
				continue
			}
			if e != nil {
				return commands, e
			}
			if args == nil {
				break
			}
			own := make([][]byte, len(args))
			for i := range args {
				own[i] = bytes.Clone(args[i])
			}
			commands = append(commands, own)
		}
	}
	return commands, nil
}

func TestParserTakesAnyPieces(t *testing.T) {
	var input []byte
	for i := range 50 {
		input = appendCommand(input, [][]byte{[]byte("SET"), fmt.Appendf(nil, "k%d", i), bytes.Repeat([]byte{'v'}, i*i*7)})
		input = append(input, "PING \"in line\"\r\n*0\r\n"...)
	}
	want, err := feed(&parser{isTrusted: true}, input, len(input))
	if err != nil || len(want) != 100 {
		t.Fatalf("%d commands, %v", len(want), err)
	}
	for _, piece := range []int{1, 2, 3, 7, 100, 4096} {
		got, err := feed(&parser{isTrusted: true}, input, piece)
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("in pieces of %d: differs (%v)", piece, err)
		}
	}
}

// A command of more than 16 MiB is read to its end, kept nowhere, and what
// follows is understood.
func TestParserForgetsWhatIsTooLarge(t *testing.T) {
	part := bytes.Repeat([]byte{'x'}, store.MaxCommandBytes/2)
	input := appendCommand(nil, [][]byte{[]byte("SET"), part, part, []byte("NX")})
	input = append(input, "*1\r\n$4\r\nPING\r\n"...)
	p := parser{isTrusted: true}
	got, err := feed(&p, input, 50000)
	if err != nil || fmt.Sprintf("%s", got) != "[[(too large)] [PING]]" {
		t.Fatalf("%.200s %v", fmt.Sprint(got), err)
	}
	if cap(p.buf) > 2*store.MaxCommandBytes {
		t.Errorf("the buffer is %d bytes", cap(p.buf))
	}
	p.free()
	if cap(p.buf) > keepBufferBytes {
		t.Errorf("an idle connection keeps %d bytes", cap(p.buf))
	}
}

// What a client merely announces costs no memory.
func TestParserAllocatesNothingForPromises(t *testing.T) {
	p := parser{isTrusted: true}
	if _, err := feed(&p, []byte("*1048576\r\n$67108864\r\nabc"), 100); err != nil {
		t.Fatal(err)
	}
	if cap(p.buf) > firstBufferBytes || cap(p.spans) > 16 {
		t.Errorf("%d bytes, %d spans", cap(p.buf), cap(p.spans))
	}
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string]string{
		`  a  b `: `["a" "b"]`, `"a b" 'c d'`: `["a b" "c d"]`, `"\x41\n\"\\\q"`: `["A\n\"\\q"]`, `'it\'s'`: `["it's"]`,
		`""`: `[""]`, `a"b"`: `["ab"]`, ``: `[]`, `"\x4"`: `["x4"]`,
		`"a`: `unbalanced`, `"a"b`: `unbalanced`, `'a'b`: `unbalanced`, `"\`: `unbalanced`,
	} {
		words, ok := splitWords(nil, []byte(line))
		got := fmt.Sprintf("%q", words)
		if !ok {
			got = "unbalanced"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// FuzzParser: whatever arrives, in pieces of any size, is cut in the same way, and
// never makes more memory than twice what arrived.
func FuzzParser(f *testing.F) {
	for _, seed := range []string{"PING\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*1\r\n$-1\r\n", "*-1\r\n*0\r\n\r\n", "*3\r\n$3\r\n",
		"SET \"a b\" 'c'\n", "GET / HTTP/1.1\r\n", "*1\r\n$99999999\r\n", "*99999999\r\n", "\"\\x", "*1\r\n$0\r\n\r\n"} {
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, input []byte, piece uint8) {
		whole, wholeErr := feed(&parser{isTrusted: true}, input, len(input)+1)
		p := parser{isTrusted: true}
		parts, err := feed(&p, input, int(piece)+1)
		if fmt.Sprintf("%q %v", whole, wholeErr) != fmt.Sprintf("%q %v", parts, err) {
			t.Fatalf("whole: %q %v\npieces of %d: %q %v", whole, wholeErr, int(piece)+1, parts, err)
		}
		if cap(p.buf) > 2*max(len(input), keepBufferBytes) {
			t.Fatalf("%d bytes for %d", cap(p.buf), len(input))
		}
	})
}
