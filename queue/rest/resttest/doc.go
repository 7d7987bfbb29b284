// Package resttest is a real cluster in the test's own process, with the queue's
// native API on each node. It is for tests only.
package resttest
