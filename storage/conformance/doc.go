// Package conformance is the suite that every consensus.Disk has to pass: the one
// on Pebble, the one on Pebble over a file system that forgets, and the one in memory.
//
// Read Run first. It is for tests: nothing in production imports it.
package conformance
