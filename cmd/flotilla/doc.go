// Flotilla runs a fleet of nodes on this machine, or one node of a cluster, and
// looks at both.
//
// Read main.go, then one file per verb: up.go (screen.go is what it shows),
// node.go (settings.go reads flags, environment and file; config.go checks them),
// status.go, fault.go, bench.go, certs.go, version.go.
//
// Exit codes: 0 all went well, 1 it did not, 2 the command line was wrong.
package main
