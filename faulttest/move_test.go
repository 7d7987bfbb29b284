package faulttest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"flotilla/lab/labtest"
	"time"
)

// A fleet that goes on at other ports finds itself: all nodes move at once, so each
// knows of the others' new addresses only from its own command line.
func TestFleetMovesToOtherPorts(t *testing.T) {
	f := startFleet(t)
	before := f.Addresses()
	c := dial(before[0])
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Set(ctx, "moved", "with us", 0).Err(); err != nil {
		t.Fatal(err)
	}
	other := fmt.Sprint(labtest.FreeOffset(t, 3)) // while the old ports are taken
	f.Stop()
	f.Args[slices.Index(f.Args, "--port-offset")+1] = other
	f.Begin()
	f.WaitReady("the fleet at other ports")
	after := f.Addresses()
	for i := range after {
		if after[i] == before[i] {
			t.Fatalf("it is still at %v", before)
		}
		// Those that do not lead ask the one that does, where it is now.
		c := dial(after[i])
		defer c.Close()
		if got, err := c.Get(ctx, "moved").Result(); err != nil || got != "with us" {
			t.Fatalf("%s: %q, %v", after[i], got, err)
		}
	}
}
