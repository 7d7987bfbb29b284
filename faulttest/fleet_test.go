package faulttest

import (
	"flag"
	"testing"
	"time"

	"flotilla/lab/labtest"
)

var isLong = flag.Bool("long", false, "break each thing for longer, and more often")

func TestMain(m *testing.M) { labtest.Main(m) }

// fleet is a running `flotilla up`.
type fleet struct{ *labtest.Fleet }

// startFleet starts three nodes in a folder of the test and waits until they are
// ready. They are stopped when the test ends.
func startFleet(t *testing.T, flags ...string) *fleet {
	t.Helper()
	return startNodes(t, 3, flags...)
}

// startNodes is startFleet for so many nodes.
func startNodes(t *testing.T, nodes int, flags ...string) *fleet {
	t.Helper()
	return &fleet{labtest.StartFleet(t, nodes, flags...)}
}

// pass lets time go by in which the load runs and the fault lasts: there is no
// condition to wait for.
func pass(d time.Duration) { <-time.After(d) }
