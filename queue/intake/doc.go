// Package intake is what the queue's doors, Amazon SQS's and our own API, do with a
// request before they understand it: bound how many and how much there is at a time
// and count them (intake.go), and say which strangers may come in (access.go).
//
// Invariants. Memory grows with what has arrived, never with what was announced. Who
// can not be told from others comes from this machine, and not through a web page.
//
// It knows no protocol: what it refuses, each door says in its own words.
package intake
