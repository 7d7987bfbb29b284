// Package fakenode is a node that only pretends: it answers over HTTP what a
// healthy node would, stops when a node would, and stores nothing. Tests of the
// supervisor and of the command line run it as a real process, so that they test
// starting, watching and stopping processes in milliseconds, and nothing else.
//
// Only tests may import it.
package fakenode
