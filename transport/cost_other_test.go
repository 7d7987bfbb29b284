//go:build !unix

package transport

import "testing"

func measureCPU(b *testing.B, step func()) {
	for b.Loop() {
		step()
	}
}
