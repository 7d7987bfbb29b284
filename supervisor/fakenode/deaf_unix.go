//go:build unix

package fakenode

import (
	"context"
	"os/signal"
	"syscall"
)

// deaf returns a context that ends with nothing but SIGKILL.
func deaf(ctx context.Context) context.Context {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	return context.WithoutCancel(ctx)
}
