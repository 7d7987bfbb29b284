package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"flotilla"
	"flotilla/queue"

	"github.com/cockroachdb/datadriven"
)

// stubHost answers each call with a failure, or with the machine's reply on an empty state.
type stubHost struct{ fail error }

func (s stubHost) Do(_ context.Context, calls ...*flotilla.Call) {
	for _, call := range calls {
		call.Err = s.fail
	}
}

func (stubHost) Replicated(context.Context, flotilla.GroupID, uint64, int) int { return 0 }
func (stubHost) Topology() *flotilla.Topology {
	slots := new([flotilla.Slots]flotilla.GroupID)
	for i := range slots {
		slots[i] = 1
	}
	return &flotilla.Topology{SlotMap: slots, Groups: []flotilla.GroupInfo{{ID: 1, Leader: 1, Nodes: []flotilla.NodeID{1}}}}
}
func (stubHost) Self() flotilla.NodeID             { return 1 }
func (stubHost) Broadcast(flotilla.System, []byte) {}
func (stubHost) Subscribe(flotilla.System, func(flotilla.Event)) (cancel func()) {
	return func() {}
}
func (stubHost) Listen(flotilla.System, func(flotilla.NodeID, []byte)) (cancel func()) {
	return func() {}
}

// failures are what a host may answer, by the names that requests.txt has for them.
var failures = map[string]error{
	"":        flotilla.Refused(flotilla.NoQuorum, ""),
	"busy":    flotilla.Refused(flotilla.Busy, ""),
	"full":    flotilla.Refused(flotilla.DiskFull, ""),
	"large":   flotilla.Refused(flotilla.TooLarge, ""),
	"unknown": flotilla.Unknown(flotilla.Timeout, "example"),
	"stops":   flotilla.Refused(flotilla.Stopping, ""),
}

// TestRequests runs testdata/requests.txt: who may ask for what, and how failures are
// told. Each case is a method and a path, then "name: value" headers; "remote" is where
// it comes from; "body" is its body. What gets past the door is answered by a host that fails.
func TestRequests(t *testing.T) {
	datadriven.RunTest(t, "testdata/requests.txt", func(t *testing.T, d *datadriven.TestData) string {
		var fails string
		d.MaybeScanArgs(t, "fails", &fails)
		host := stubHost{fail: failures[fails]}
		client := queue.NewClient(host)
		defer client.Close()
		handler := &Handler{Client: client, Host: host, Hosts: []string{"n2.example"}, AllowUnsigned: d.HasArg("open")}
		defer handler.Close()
		if d.HasArg("keys") {
			handler.Credentials = map[string]string{"alice": "wonder land", "nobody": ""}
		}
		return serveOne(handler, d)
	})
}

func serveOne(handler http.Handler, d *datadriven.TestData) string {
	lines := strings.Split(d.Input, "\n")
	body, headers := "", http.Header{}
	host, remote, user := "127.0.0.1:9324", "127.0.0.1:50000", ""
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "host":
			host = value
		case "remote":
			remote = value
		case "user":
			user = value
		case "body":
			body = value
			if headers.Get("Content-Type") == "" {
				headers.Set("Content-Type", "application/json")
			}
		default:
			headers.Set(name, value)
		}
	}
	r := httptest.NewRequest(d.Cmd, lines[0], strings.NewReader(strings.ReplaceAll(body, "<bad>", "\xff")))
	r.Host, r.RemoteAddr, r.Header = host, remote, headers
	if key, secret, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(key, secret)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	out := w.Result().Status + "\n"
	for _, name := range []string{"Allow", "Www-Authenticate"} {
		if value := w.Header().Get(name); value != "" {
			out += name + ": " + value + "\n"
		}
	}
	var f failure
	if json.Unmarshal(w.Body.Bytes(), &f) != nil || f.Problem == nil {
		return out + strings.TrimSpace(regexp.MustCompile(`\s+`).ReplaceAllString(w.Body.String(), " "))[:60] + "...\n"
	}
	if f.Problem.MayHaveHappened {
		out += "it may have happened\n"
	}
	return out + f.Problem.Code + ": " + f.Problem.Message + "\n"
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"messages":[{"body":"x","attributes":{"a":{"value":{"base64":"/w=="}}}}]}`))
	f.Add([]byte(`{"messages":[{"body":"\ud800\udc00"}]}`))
	f.Add([]byte(`{"messages":[{"body":"\ud800"}]}{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", "application/json")
		var in Send
		if decode(r, body, &in) != nil {
			return
		}
		// What was understood can be written down, and is understood the same way.
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var same Send
		if err := decode(r, again, &same); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		for i := range in.Messages {
			if same.Messages[i].Body != in.Messages[i].Body || strings.ContainsRune(in.Messages[i].Body, '\ufffd') && !strings.Contains(string(body), "\ufffd") && !strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
				t.Fatalf("%q became %q", in.Messages[i].Body, same.Messages[i].Body)
			}
		}
	})
}

// TestBlobsAreWhatTheyWere: bytes survive JSON, whatever they are.
func TestBlobsAreWhatTheyWere(t *testing.T) {
	for _, text := range []string{"", "text", "\x00", "\xff\xfe", "{\"base64\":\"x\"}", "\u2028<"} {
		raw, err := json.Marshal(Blob(text))
		var back Blob
		if err != nil || json.Unmarshal(raw, &back) != nil || string(back) != text {
			t.Errorf("%q is %s, and comes back as %q (%v)", text, raw, back, err)
		}
	}
	for _, bad := range []string{`5`, `{}`, `{"base64":"%"}`, `{"base64":null}`, `[]`} {
		if json.Unmarshal([]byte(bad), new(Blob)) == nil {
			t.Errorf("%s is taken for bytes", bad)
		}
	}
}
