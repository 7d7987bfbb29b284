package clustertab

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flotilla"
	"flotilla/cluster"
)

// host knows three nodes, and can do nothing.
type host struct{ flotilla.Host }

func (host) Self() flotilla.NodeID { return 1 }

func (host) Topology() *flotilla.Topology {
	return &flotilla.Topology{Nodes: []flotilla.NodeInfo{{ID: 1, Host: "n1.example", HTTPPort: 8080}, {ID: 2, Host: "::1", HTTPPort: 8081}, {ID: 3}}}
}

// TestSettingsOfAllNodes: each node that answers tells its own; of one that does not there are none.
func TestSettingsOfAllNodes(t *testing.T) {
	o := Options{Host: host{}, Keeper: &Keeper{}, Status: func() cluster.Status { return cluster.Status{} },
		Settings: []Setting{{Name: "memory", Value: "64 MiB"}},
		Ask: func(_ context.Context, to flotilla.NodeInfo, path string) (*http.Response, error) {
			if to.ID == 3 || path != "/cluster/api/self" {
				return nil, errors.New("not here")
			}
			body := `{"settings": [{"name": "memory", "value": "128 MiB"}]}`
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
		}}
	mux := http.NewServeMux()
	New(o).Routes(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cluster/api/nodes", nil))
	var views []NodeView
	if err := json.Unmarshal(w.Body.Bytes(), &views); err != nil || len(views) != 3 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if views[0].Settings[0].Value != "64 MiB" || views[1].Settings[0].Value != "128 MiB" || len(views[2].Settings) != 0 || views[2].Error == "" {
		t.Errorf("%+v", views)
	}
	if views[0].Addr != "n1.example:8080" || views[1].Addr != "[::1]:8081" {
		t.Errorf("pages are at %s and %s", views[0].Addr, views[1].Addr)
	}
}
