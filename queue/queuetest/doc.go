// Package queuetest is a real cluster of queues in the test's own process: nodes with
// their logs, over gRPC, on disks in memory. The doors are added by who tests them. It is
// for tests only.
package queuetest
