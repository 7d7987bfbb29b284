package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// IdleConfig says whose rest is measured, and how little they shall need.
type IdleConfig struct {
	Processes []Process     `json:"processes"`
	Settle    time.Duration `json:"settle_ns"`   // before anything is measured
	Duration  time.Duration `json:"duration_ns"` // of the measurement
	MaxCPU    float64       `json:"max_cpu"`     // share of one processor
	MaxBytes  int64         `json:"max_bytes"`   // in memory, at the end
	Pages     Pages         `json:"pages"`       // that are open all the while
}

// Process is one that is measured.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// IdleReport is what processes needed while nobody asked them for anything.
type IdleReport struct {
	Config    IdleConfig    `json:"config"`
	Seconds   float64       `json:"seconds"`
	Processes []IdleProcess `json:"processes"`
	// OtherCores is how many cores others kept busy: on a busy machine each wake-up
	// costs more.
	OtherCores float64 `json:"other_cores"`
	// PageBytes is how much was pushed to all pages in a second.
	PageBytes float64 `json:"page_bytes_per_second"`
}

// IdleProcess is what one process needed.
type IdleProcess struct {
	Process
	CPU   float64 `json:"cpu"`   // share of one processor
	Bytes int64   `json:"bytes"` // in memory, at the end
}

// Idle waits until the processes have settled, and measures what they use while
// nothing is asked of them. It fails where the system does not tell.
func Idle(ctx context.Context, c IdleConfig) (r IdleReport, err error) {
	r.Config = c
	pages, err := c.Pages.open(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, pages.close()) }()
	if !wait(ctx, c.Settle) {
		return r, ctx.Err()
	}
	began := time.Now()
	before, machine := make([]time.Duration, len(c.Processes)), readUsage(nil).machine
	for i, p := range c.Processes {
		before[i] = readUsage([]int{p.PID}).server
	}
	if !wait(ctx, c.Duration) {
		return r, ctx.Err()
	}
	var all time.Duration
	r.Seconds = time.Since(began).Seconds()
	for i, p := range c.Processes {
		used, isKnown := spent(before[i], readUsage([]int{p.PID}).server)
		bytes := memoryBytes(p.PID)
		if !isKnown || bytes < 0 {
			return r, fmt.Errorf("what %s (process %d) uses is not known: it has ended, or this system does not tell", p.Name, p.PID)
		}
		all += used
		r.Processes = append(r.Processes, IdleProcess{Process: p, CPU: used.Seconds() / r.Seconds, Bytes: bytes})
	}
	r.PageBytes = float64(pages.bytes.Load()) / (c.Settle + c.Duration).Seconds()
	if total, isKnown := spent(machine, readUsage(nil).machine); isKnown {
		r.OtherCores = max(0, (total-all).Seconds()/r.Seconds)
	}
	return r, nil
}

// wait reports whether so much time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Print writes the report for people.
func (r IdleReport) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "idle for %.0f s, after %v; others kept %.2f cores busy\n", r.Seconds, r.Config.Settle, r.OtherCores)
	if k := r.Config.Pages; k.Count > 0 {
		fmt.Fprintf(&b, "%d pages of the console open, which were sent %.1f kB a second in all\n", k.Count, r.PageBytes/1e3)
	}
	for _, p := range r.Processes {
		fmt.Fprintf(&b, "%6s %7.2f %% of a processor %9.1f MB in memory\n", p.Name, 100*p.CPU, float64(p.Bytes)/1e6)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Check returns an error that names all who needed more than they should.
func (r IdleReport) Check() error {
	var over []error
	for _, p := range r.Processes {
		if p.CPU > r.Config.MaxCPU {
			over = append(over, fmt.Errorf("%s uses %.2f %% of a processor, and may use %.2f %%", p.Name, 100*p.CPU, 100*r.Config.MaxCPU))
		}
		if p.Bytes > r.Config.MaxBytes {
			over = append(over, fmt.Errorf("%s has %.1f MB in memory, and may have %.1f MB", p.Name, float64(p.Bytes)/1e6, float64(r.Config.MaxBytes)/1e6))
		}
	}
	return errors.Join(over...)
}
