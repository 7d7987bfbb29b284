// Package redistest has a cluster for tests of the store's client and door: the
// real store.Machine over a map in memory, with no log, no disk and no network.
// Every node sees every write at once. It promises nothing about failures: these
// are injected (Cluster.Fail).
package redistest
