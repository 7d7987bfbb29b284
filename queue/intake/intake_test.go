package intake

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBodiesAreBounded reads bodies that are too large by what they announce and by what
// they are, some that break off, and one too many.
func TestBodiesAreBounded(t *testing.T) {
	var i Intake
	for _, test := range []struct {
		name string
		body io.Reader
		long int64 // announced; -1: not
		want error
	}{
		{"small", strings.NewReader("abc"), 3, nil},
		{"as large as may be", strings.NewReader(strings.Repeat("a", MaxBodyBytes)), MaxBodyBytes, nil},
		{"announced too large", strings.NewReader(""), MaxBodyBytes + 1, ErrTooLarge},
		{"too large", strings.NewReader(strings.Repeat("a", MaxBodyBytes+1)), -1, ErrTooLarge},
		{"broken off", io.MultiReader(strings.NewReader("abc"), failing{}), -1, ErrNotWhole},
	} {
		r := httptest.NewRequest("POST", "/", test.body)
		r.ContentLength = test.long
		_, release, err := i.ReadBody(r, nil)
		release()
		if !errors.Is(err, test.want) || i.bodyBytes.Load() != 0 {
			t.Errorf("%s: %v, and %d bytes go on counting", test.name, err, i.bodyBytes.Load())
		}
	}
	i.bodyBytes.Store(maxBodiesSize)
	_, release, err := i.ReadBody(httptest.NewRequest("POST", "/", strings.NewReader("a")), make([]byte, 0, 8))
	release()
	if !errors.Is(err, ErrBusy) || i.bodyBytes.Load() != maxBodiesSize || i.Stats().Rejected != 1 {
		t.Errorf("one too many: %v, %+v", err, i.Stats())
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRequestsAreBounded(t *testing.T) {
	var i Intake
	for range MaxRequests {
		if !i.Begin() {
			t.Fatal("refused too soon")
		}
	}
	if i.Begin() || i.Stats().Rejected != 1 {
		t.Errorf("one too many comes in: %+v", i.Stats())
	}
	i.End()
	i.End()
	if !i.Begin() {
		t.Error("there is room again")
	}
}

// TestStrangers asks as people, web pages, proxies and rebound names do.
func TestStrangers(t *testing.T) {
	for _, test := range []struct {
		from, host  string
		header      string
		isIn, isWeb bool
	}{
		{from: "127.0.0.1:5", host: "127.0.0.1:9324", isIn: true},
		{from: "[::1]:5", host: "localhost:9324", isIn: true},
		{from: "127.0.0.1:5", host: "queue", isIn: true},
		{from: "127.0.0.1:5", host: "a.localhost:9324", isIn: true},
		{from: "127.0.0.1:5", host: "Ours.Example.org.:9324", isIn: true},
		{from: "127.0.0.1:5", host: "evil.example.org"},
		{from: "10.0.0.1:5", host: "127.0.0.1"},
		{from: "nonsense", host: "127.0.0.1"},
		{from: "127.0.0.1:5", host: "127.0.0.1", header: "X-Forwarded-For: 10.0.0.1"},
		{from: "127.0.0.1:5", host: "127.0.0.1", header: "Forwarded: for=10.0.0.1"},
		{from: "127.0.0.1:5", host: "127.0.0.1", header: "Origin: http://evil.example.org", isIn: true, isWeb: true},
		{from: "127.0.0.1:5", host: "127.0.0.1", header: "Sec-Fetch-Site: cross-site", isIn: true, isWeb: true},
		{from: "127.0.0.1:5", host: "127.0.0.1", header: "Sec-Fetch-Site: same-origin", isIn: true},
	} {
		r := &http.Request{RemoteAddr: test.from, Header: http.Header{}}
		if name, value, ok := strings.Cut(test.header, ": "); ok {
			r.Header.Set(name, value)
		}
		why := Strangers{Hosts: []string{"ours.example.org"}}.Refuse(r, test.host)
		if (why == "") != test.isIn || IsFromPage(r) != test.isWeb {
			t.Errorf("%+v: %q, from a page: %v", test, why, IsFromPage(r))
		}
	}
}
