// Package faulttest breaks real processes under load, and checks that what clients
// were told stays true. It has tests only: they build the flotilla program once and
// start real fleets of it, as a person would.
//
// Read in this order: package lab/labtest (a fleet of real processes), load_test.go
// (the lab's clients, which write down all they ask and are told), fault_test.go (what is
// broken, and when), groups_test.go (the same with several groups on five nodes, and
// links that are cut one way), queue_test.go (producers and workers of queues, who are killed,
// too), minority_test.go (what the cut-off side says), and
// harness_test.go, which runs the load against one plain redis-server to show that
// the harness itself invents no faults, and that it finds a planted one.
//
// The short tests are part of go test ./...; -long makes each phase longer and
// repeats it:
//
//	go test ./faulttest -v -long
package faulttest
