// Package labtest is what tests need that start real processes: the program, built
// once, as it is or with a bug planted; a process, and what it printed; a fleet, as
// `flotilla up` runs it; and waiting for something.
//
// Read in this order: Main and Program (program.go), Process (process.go), Fleet (fleet.go).
//
// Whatever a test starts ends with the test. Only tests may import it.
package labtest
