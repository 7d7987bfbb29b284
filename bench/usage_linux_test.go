package bench

import (
	"os"
	"testing"
	"time"
)

func TestParseUsage(t *testing.T) {
	stat := "12 (a) b) 1 2) S 1 12 12 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 8 0 100 1000"
	if got := parseProcessCPU(stat); got != 3*time.Second {
		t.Errorf("got %v", got)
	}
	if got := parseMachineCPU("cpu  100 20 30 4000 500 6 7 8 0 0\ncpu0 1\n"); got != 1630*time.Millisecond {
		t.Errorf("got %v", got)
	}
	for _, bad := range []string{"", "12 (x) S", "cpu 1 2", "12 (x) S 1 12 12 0 -1 4194560 100 0 0 0 x 50 0 0 20"} {
		if parseProcessCPU(bad) != unknown || parseMachineCPU(bad) != unknown {
			t.Errorf("%q was taken", bad)
		}
	}
	if got := parseMemory("5000 200 100 1 0 9 0\n", 4096); got != 200*4096 {
		t.Errorf("got %d bytes", got)
	}
	if parseMemory("", 4096) != -1 || parseMemory("1 x", 4096) != -1 {
		t.Error("what is no statm was taken")
	}
	if u := readUsage([]int{os.Getpid(), 1 << 30}); u.server != unknown || u.client < 0 {
		t.Errorf("%+v: one process that is gone makes the sum unknown", u)
	}
}
