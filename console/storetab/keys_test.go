package storetab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flotilla"
	"flotilla/console/door"
)

// host knows no groups.
type host struct{ flotilla.Host }

func (host) Topology() *flotilla.Topology { return &flotilla.Topology{} }

// askOf asks the tab for a path; the door answers each command as it is told, in RESP3.
func askOf(t *testing.T, path string, answer func(words []string) string) *httptest.ResponseRecorder {
	t.Helper()
	pipe, ended := door.NewPipe(), make(chan struct{})
	go func() {
		defer close(ended)
		serve(pipe, answer)
	}()
	mux := http.NewServeMux()
	New(Options{Host: host{}, Pipe: pipe}).Routes(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	_ = pipe.Close() // of tests
	<-ended
	return w
}

// serve answers the commands of one connection.
func serve(pipe *door.Pipe, answer func(words []string) string) {
	conn, err := pipe.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var count, length int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &count); err != nil {
			return
		}
		words := make([]string, count)
		for i := range words {
			if _, err := fmt.Fscanf(in, "$%d\r\n", &length); err != nil {
				return
			}
			word := make([]byte, length+2)
			for j := range word {
				if word[j], err = in.ReadByte(); err != nil {
					return
				}
			}
			words[i] = string(word[:length])
		}
		reply := "+OK"
		if words[0] != "HELLO" {
			reply = answer(words)
		}
		if _, err := fmt.Fprintf(conn, "%s\r\n", reply); err != nil {
			return
		}
	}
}

// TestAnErrorIsNoType: where the door can not tell of a key, the page says why, and shows no key of
// a type that is called so.
func TestAnErrorIsNoType(t *testing.T) {
	for _, failing := range []string{"TYPE", "PTTL"} {
		for _, path := range []string{"/store/api/keys", "/store/api/key?key=town"} {
			w := askOf(t, path, func(words []string) string {
				switch {
				case words[0] == failing:
					return "-CLUSTERDOWN g1 has no leader"
				case words[0] == "SCAN":
					return "*2\r\n$1\r\n0\r\n*1\r\n$4\r\ntown"
				case words[0] == "TYPE":
					return "+none"
				}
				return ":-1"
			})
			if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "g1 has no leader") {
				t.Errorf("%s, %s fails: %d %s", path, failing, w.Code, w.Body)
			}
		}
	}
}

// TestKeysThatAreNoText are listed as such: their names do not get to a page and back whole, so that who chose
// one would be shown another.
func TestKeysThatAreNoText(t *testing.T) {
	w := askOf(t, "/store/api/keys", func(words []string) string {
		switch words[0] {
		case "SCAN":
			return "*2\r\n$1\r\n0\r\n*2\r\n$6\r\ngr\u00fc\u00df\r\n$2\r\na\xff"
		case "TYPE":
			return "+string"
		}
		return ":-1"
	})
	var found struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &found); err != nil || len(found.Keys) != 2 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for i, want := range []struct {
		shown  string
		isText bool
	}{{`a\xff`, false}, {"grüß", true}} {
		if k := found.Keys[i]; k["shown"] != want.shown || k["text_key"] != want.isText {
			t.Errorf("%v, want %+v", k, want)
		}
	}
}

// TestElementsThatAreText can be edited: backslashes and quotes make no difference, what a line of a form can not have does.
func TestElementsThatAreText(t *testing.T) {
	for _, c := range []struct {
		name, value, shown string
		isText             bool
	}{
		{"path", `C:\tmp`, `C:\tmp`, true},
		{`a "name"`, "x", "x", true},
		{"two", "a\nb", `a\nb`, false},
		{"zero", "a\x00b", `a\x00b`, false},
		{"bytes", "\xff", `\xff`, false},
		{"long", strings.Repeat("x", maxElement+1), strings.Repeat("x", maxElement) + "…", false},
	} {
		v := KeyView{}
		v.add([]byte(c.name), []byte(c.value))
		if v.Pairs[0] != [2]string{c.name, c.shown} || v.Texts[0] != c.isText {
			t.Errorf("%s: shown as %q, text: %v", c.name, v.Pairs[0], v.Texts[0])
		}
	}
}
