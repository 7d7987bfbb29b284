package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"flotilla"
)

// TestScripts runs testdata/*.txt, which say in Redis's own words how the
// machine behaves. The directives:
//
//	do                 each line is a command and an entry of its own
//	entry              all lines are commands of one entry
//	exec watch=(a,b)   the lines are a MULTI body; versions as of "watch"
//	watch              each line is a key; remembers its version for exec
//	wait millis=N      lets the log's time pass, with an empty entry
//	later millis=N     lets it pass without one
//	events             what was told since the last time
//	keys               how many pairs of each sort the state has
//
// Each file starts empty at time 1,000,000 ms.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		l, watched := newLab(), map[string]uint64{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return l.directive(t, d, watched)
		})
	})
}

func (l *lab) directive(t *testing.T, d *datadriven.TestData, watched map[string]uint64) string {
	var out strings.Builder
	lines := strings.Split(strings.TrimSpace(d.Input), "\n")
	switch d.Cmd {
	case "do":
		for _, line := range lines {
			fmt.Fprintln(&out, l.line(line))
		}
	case "entry":
		var commands [][]byte
		for _, line := range lines {
			commands = append(commands, Encode(nil, toBytes(splitWords(line))))
		}
		for _, reply := range l.entry(commands...) {
			fmt.Fprintln(&out, readable(reply))
		}
	case "watch":
		for _, key := range lines {
			watched[key] = l.watch(key)
		}
	case "exec":
		return l.execute(d, lines, watched)
	case "wait", "later":
		var millis int64
		d.ScanArgs(t, "millis", &millis)
		l.time += flotilla.Millis(millis)
		if d.Cmd == "wait" {
			l.entry()
		}
	case "events":
		for _, event := range l.events {
			fmt.Fprintln(&out, event)
		}
		l.events = nil
	case "keys":
		counts := map[byte]int{}
		l.state.pairs.Scan(func(key string, _ []byte) bool { counts[key[1]]++; return true })
		fmt.Fprintf(&out, "%d records, %d elements, %d expiries\n",
			counts[spaceRecord], counts[spaceElement], counts[spaceExpiry])
	default:
		t.Fatalf("unknown directive %q", d.Cmd)
	}
	if err := l.check(); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return out.String()
}

// watch returns the version that WATCH remembers of a key.
func (l *lab) watch(key string) (version uint64) {
	fmt.Sscanf(readable(l.read(EncodeWatch(nil, [][]byte{[]byte(key)}))), "[%d]", &version)
	return version
}

func (l *lab) execute(d *datadriven.TestData, lines []string, watched map[string]uint64) string {
	var watches []Watch
	var body [][][]byte
	for _, arg := range d.CmdArgs {
		for _, key := range arg.Vals {
			watches = append(watches, Watch{Key: []byte(key), Version: watched[key]})
		}
	}
	for _, line := range lines {
		body = append(body, toBytes(splitWords(line)))
	}
	return readable(l.entry(EncodeExec(nil, watches, body))[0]) + "\n"
}
