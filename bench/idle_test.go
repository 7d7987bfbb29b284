package bench

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestIdleCheck(t *testing.T) {
	r := IdleReport{Config: IdleConfig{MaxCPU: 0.02, MaxBytes: 80e6}, Processes: []IdleProcess{
		{Process: Process{Name: "n1"}, CPU: 0.02, Bytes: 80e6},
		{Process: Process{Name: "n2"}, CPU: 0.021, Bytes: 40e6},
		{Process: Process{Name: "n3"}, CPU: 0.01, Bytes: 81e6},
	}}
	err := r.Check()
	if err == nil || strings.Contains(err.Error(), "n1") ||
		!strings.Contains(err.Error(), "n2 uses 2.10 %") || !strings.Contains(err.Error(), "n3 has 81.0 MB") {
		t.Errorf("n2 and n3 need too much: %v", err)
	}
	r.Processes = r.Processes[:1]
	if err := r.Check(); err != nil {
		t.Errorf("n1 is at its limits, not over them: %v", err)
	}
}

// TestIdleMeasures measures this process at work, and one that is gone.
func TestIdleMeasures(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	done := make(chan struct{})
	stopped := make(chan int)
	go func() {
		for turns := 0; ; turns++ {
			select {
			case <-done:
				stopped <- turns
				return
			default:
			}
		}
	}()
	self := Process{Name: "this", PID: os.Getpid()}
	r, err := Idle(context.Background(), IdleConfig{Processes: []Process{self}, Duration: 300 * time.Millisecond})
	close(done)
	<-stopped
	if err != nil || len(r.Processes) != 1 || r.Processes[0].CPU <= 0 || r.Processes[0].Bytes < 1<<20 {
		t.Errorf("%+v, %v: this process did work", r, err)
	}
	if r.Check() == nil {
		t.Error("with limits of zero, all is too much")
	}
	gone := Process{Name: "gone", PID: 1 << 30}
	if _, err := Idle(context.Background(), IdleConfig{Processes: []Process{self, gone}}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a process that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Idle(ctx, IdleConfig{Settle: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
