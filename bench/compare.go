package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxRounds bounds a comparison.
const MaxRounds = 1000

// Comparison is what two servers carried under the same load in turn. On a shared
// machine one figure says little; the ratio of two runs that follow each other says
// more, and the median of many such ratios most.
type Comparison struct {
	First  []Report `json:"first"` // one a round
	Second []Report `json:"second"`
	// Speed is how many operations a second the first carried for one of the
	// second's, and ServerCPU how much processor time an operation took, where that is
	// known: medians over the rounds.
	Speed     float64  `json:"speed_ratio"`
	ServerCPU *float64 `json:"server_cpu_ratio"`
}

// Compare measures two servers in turn, for so many rounds; which comes first changes
// with each. Their keys are filled once. When ctx ends before the last round, it
// reports on the whole rounds that it had.
func Compare(ctx context.Context, first, second StoreConfig, rounds int) (Comparison, error) {
	if rounds < 1 || rounds > MaxRounds {
		return Comparison{}, fmt.Errorf("%d rounds: give 1 to %d", rounds, MaxRounds)
	}
	c := Comparison{First: []Report{}, Second: []Report{}}
	for round := range rounds {
		configs, reports := []*StoreConfig{&first, &second}, [2]Report{}
		for i := range configs {
			which := (i + round) % 2
			var err error
			if reports[which], err = Store(ctx, *configs[which]); err != nil {
				return c, err
			}
			configs[which].SkipFill = true
		}
		if ctx.Err() != nil {
			break
		}
		c.First, c.Second = append(c.First, reports[0]), append(c.Second, reports[1])
	}
	return c, c.finish()
}

func (c *Comparison) finish() error {
	var speeds, costs []float64
	for i, a := range c.First {
		b := c.Second[i]
		if a.Operations == 0 || b.Operations == 0 {
			return errors.New("a round without one operation can not be compared")
		}
		speeds = append(speeds, a.PerSecond/b.PerSecond)
		if a.ServerCPU != nil && b.ServerCPU != nil && *b.ServerCPU > 0 {
			costs = append(costs, *a.ServerCPU / *b.ServerCPU)
		}
	}
	if len(speeds) == 0 {
		return errors.New("not one round came to its end")
	}
	c.Speed = median(speeds)
	if len(costs) > 0 {
		cost := median(costs)
		c.ServerCPU = &cost
	}
	return nil
}

// median sorts its argument.
func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// Print writes the comparison for people.
func (c Comparison) Print(w io.Writer) error {
	var b strings.Builder
	if len(c.First) > 0 {
		k := c.First[0].Config
		fmt.Fprintf(&b, "%s, %d connections, pipeline %d, values of %d bytes, %d keys, client %s, %d rounds of %v, medians\n",
			describe(k), k.Connections, k.Pipeline, k.ValueBytes, k.Keys, k.Client, len(c.First), k.Duration)
	}
	for _, reports := range [][]Report{c.First, c.Second} {
		printRow(&b, reports)
	}
	fmt.Fprintf(&b, "%12.2f  times the operations, first by second; %s times the server CPU for one\n", c.Speed, orUnknown(c.ServerCPU))
	_, err := io.WriteString(w, b.String())
	return err
}

// whom says what was measured.
func whom(c StoreConfig) string {
	text := strings.Join(c.Addresses, ", ")
	if c.Pages.Count > 0 {
		text += fmt.Sprintf("    %d pages open", c.Pages.Count)
	}
	return text
}

// printRow writes the medians of one server's rounds, each of its own.
func printRow(b *strings.Builder, reports []Report) {
	if len(reports) == 0 {
		return
	}
	of := func(value func(Report) float64) (values []float64) {
		for _, r := range reports {
			values = append(values, value(r))
		}
		return values
	}
	speeds := of(func(r Report) float64 { return r.PerSecond })
	fmt.Fprintf(b, "%12.0f  operations a second (%.0f to %.0f)    %s ms  p50    %s ms  p99    %s\n", median(speeds),
		slices.Min(speeds), slices.Max(speeds), millis(median(of(func(r Report) float64 { return r.P50Micros }))),
		millis(median(of(func(r Report) float64 { return r.P99Micros }))), whom(reports[0].Config))
}
