//go:build !unix

package main

// cpuSeconds is not known on this system.
func cpuSeconds() (user, system float64) { return 0, 0 }
