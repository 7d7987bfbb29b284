// Package store is the partitioned, replicated key-value store: the machine that
// carries out Redis's commands on a group's state, the table that declares every
// command, and the client that a door uses.
//
// Read in this order: Command (command.go) and one family, such as hash.go;
// space.go, how keys and elements lie in the state; call.go, what a command may
// do; machine.go, how one gets there from the log; codec.go and reply.go, the
// bytes at either end.
//
// Invariants. A key's record carries the version of its last modification, so
// that WATCH can tell, and so does a bucket of keys that went; a collection that became empty has no record; the count
// of keys and the expiry index always agree with the records (the tests' harness
// checks all of it after each command). A key is expired once the log's time has
// reached its expiry, whether or not it has been deleted yet: no command sees
// it. Nothing here depends on the order of a Go map, on a clock, or on chance:
// random choices of writes are seeded with the command's version.
//
// Limits are in limits.go. Not served: scripting, streams, geo, functions, more
// than one database.
package store
