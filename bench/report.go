package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what a run of Store carried, and what that cost.
type Report struct {
	Config StoreConfig `json:"config"`
	Figures
}

// Figures are what a run carried, and what that cost. Those that the system does not
// tell are nil.
type Figures struct {
	Seconds    float64           `json:"seconds"` // the measured window
	Operations uint64            `json:"operations"`
	PerSecond  float64           `json:"operations_per_second"`
	P50Micros  float64           `json:"p50_us"`
	P99Micros  float64           `json:"p99_us"`
	P999Micros float64           `json:"p99_9_us"`
	MaxMicros  float64           `json:"max_us"`
	Errors     map[string]uint64 `json:"errors"` // by first word
	// ServerCPU and ClientCPU are CPU-seconds for 100,000 operations, user and system.
	ServerCPU *float64 `json:"server_cpu_seconds_per_100k"`
	ClientCPU *float64 `json:"client_cpu_seconds_per_100k"`
	// OtherCores is how many cores were busy with neither: a run with a high value
	// was disturbed.
	OtherCores *float64 `json:"other_cores"`

	latencies     histogram
	before, after usage
}

func newFigures(took time.Duration, before, after usage) Figures {
	return Figures{Seconds: took.Seconds(), Errors: map[string]uint64{}, before: before, after: after}
}

func (r *Figures) add(w *worker) {
	r.Operations += w.operations
	r.latencies.merge(&w.latencies)
	mergeErrors(r.Errors, w.errors)
}

func (r *Figures) finish() {
	micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	r.P50Micros = micros(r.latencies.quantile(0.5))
	r.P99Micros = micros(r.latencies.quantile(0.99))
	r.P999Micros = micros(r.latencies.quantile(0.999))
	r.MaxMicros = micros(r.latencies.longest)
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Operations) / r.Seconds
	}
	server, hasServer := spent(r.before.server, r.after.server)
	client, hasClient := spent(r.before.client, r.after.client)
	machine, hasMachine := spent(r.before.machine, r.after.machine)
	if hasServer {
		r.ServerCPU = r.per100k(server)
	}
	if hasClient {
		r.ClientCPU = r.per100k(client)
	}
	if hasServer && hasClient && hasMachine && r.Seconds > 0 {
		other := max((machine-server-client).Seconds()/r.Seconds, 0)
		r.OtherCores = &other
	}
}

func (r *Figures) per100k(d time.Duration) *float64 {
	if r.Operations == 0 {
		return nil
	}
	seconds := d.Seconds() / float64(r.Operations) * 1e5
	return &seconds
}

// Print writes the report for people.
func (r Report) Print(w io.Writer) error {
	c := r.Config
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d connections, pipeline %d, values of %d bytes, %d keys, client %s, %.1f s\n",
		describe(c), c.Connections, c.Pipeline, c.ValueBytes, c.Keys, c.Client, r.Seconds)
	r.print(&b, "operations")
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes the figures, whose operations have a name.
func (r *Figures) print(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%12.0f  %s a second\n", r.PerSecond, name)
	fmt.Fprintf(b, "%9s ms  p50    %s ms  p99    %s ms  p99.9    %s ms  longest\n",
		millis(r.P50Micros), millis(r.P99Micros), millis(r.P999Micros), millis(r.MaxMicros))
	fmt.Fprintf(b, "%9s s   server CPU for 100,000 %s    client %s s    other cores busy %s\n",
		orUnknown(r.ServerCPU), name, orUnknown(r.ClientCPU), orUnknown(r.OtherCores))
	for _, word := range slices.SortedFunc(maps.Keys(r.Errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Errors[b], r.Errors[a]), strings.Compare(a, b))
	}) {
		fmt.Fprintf(b, "%12d  errors %s\n", r.Errors[word], word)
	}
}

func describe(c StoreConfig) string {
	if c.Command == "mixed" {
		return fmt.Sprintf("mixed with %.0f %% GET", c.ReadShare*100)
	}
	return strings.ToUpper(c.Command)
}

func millis(micros float64) string { return fmt.Sprintf("%.2f", micros/1000) }

func orUnknown(v *float64) string {
	if v == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.2f", *v)
}
