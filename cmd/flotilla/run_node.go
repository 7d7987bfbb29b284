package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
)

// minMemory is what a node can work with at all.
const minMemory = 64 << 20

// runNode runs a node until ctx ends.
func runNode(ctx context.Context, c nodeConfig) error {
	log := newLog(c)
	limitMemory(c.MemoryBytes)
	if c.IsInsecure {
		log.Warn("INSECURE: whoever can reach this node's ports can read and change all data")
	}
	return errors.New("this build has no node yet")
}

func newLog(c nodeConfig) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel})).With("node", c.ID.String())
}

// limitMemory has the garbage collector work harder as the node comes near its
// limit. Far below it, memory is collected when it has doubled, as usual.
func limitMemory(bytes int64) {
	debug.SetMemoryLimit(bytes)
	debug.SetGCPercent(100)
}
