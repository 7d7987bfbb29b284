//go:build unix

package transport

import (
	"syscall"
	"testing"
)

func processCPU() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e3
}

func measureCPU(b *testing.B, step func()) {
	before := processCPU()
	for b.Loop() {
		step()
	}
	b.ReportMetric((processCPU()-before)/float64(b.N), "cpu-us/op")
}
