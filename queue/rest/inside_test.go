package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flotilla"
	"flotilla/queue"
)

// TestInsideTrustsWhoServesIt: below its prefix nobody is asked for a key, web pages are let
// in, and all else is as at the door; the door itself goes on refusing.
func TestInsideTrustsWhoServesIt(t *testing.T) {
	host := stubHost{fail: flotilla.Refused(flotilla.NoQuorum, "example")}
	client := queue.NewClient(host)
	defer client.Close()
	door := &Handler{Client: client, Host: host, Credentials: map[string]string{"alice": "secret"}}
	defer door.Close()
	inside := door.Inside("/page/api", "page")
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/page/api/queues", "", 503, "NoQuorum"},
		{"PUT", "/page/api/queues/q", "{}", 503, "NoQuorum"},
		{"PUT", "/page/api/queues/q", "", 400, "there is no body"},
		{"POST", "/page/api/queues/q", "{}", 405, "This path takes"},
		{"GET", "/page/api/nothing", "", 404, "NotFound"},
		{"GET", "/api/queue/v1/queues", "", 404, "NotFound"},
		{"GET", "/page/api/queues?limit=0", "", 400, "limit=0"},
	} {
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", "http://127.0.0.1:8080")
		w := httptest.NewRecorder()
		inside.ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s %s: %d %s", test.method, test.path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	door.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/queue/v1/queues", nil))
	if w.Code != http.StatusUnauthorized || door.Stats().Denied != 1 || door.Stats().Requests != 8 {
		t.Errorf("the door answers %d, %+v", w.Code, door.Stats())
	}
}
