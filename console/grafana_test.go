package console

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDashboardAsksForMetricsThatExist: else a panel stays empty, and nobody is told.
func TestDashboardAsksForMetricsThatExist(t *testing.T) {
	raw, err := os.ReadFile("../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	metric, asked := regexp.MustCompile(`flotilla_\w+`), 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range metric.FindAllString(target.Expr, -1) {
				asked++
				if name = strings.TrimSuffix(name, "_bucket"); !strings.Contains(string(known), "# TYPE "+name+" ") {
					t.Errorf("%s: nothing exports %s", p.Title, name)
				}
			}
		}
	}
	if asked < 10 {
		t.Errorf("it asks for %d metrics only", asked)
	}
}
