// Package redis is the store's door: it speaks RESP2 and RESP3, so that any
// Redis client can use the replicated store through any node.
//
// Read in this order: Server (server.go) accepts connections; a conn (conn.go)
// reads, splits what has arrived into runs of writes and runs of reads, and
// answers them with one flush; wire.go cuts bytes into commands and back;
// commands.go and its neighbours answer what never reaches a group: sessions,
// transactions (multi.go), blocking (blocking.go), publish and subscribe
// (pubsub.go), and the picture of the cluster (cluster.go).
//
// Invariants. Replies leave in the order of the commands. A command that was
// answered with CLUSTERDOWN, TRYAGAIN or OOM was not carried out and never will
// be; one answered with UNKNOWN may have been. The door never sends a command
// twice by itself, except one that certainly had no effect: the try of a
// blocking command that found nothing.
//
// Differences from one Redis that users should know:
//   - INFO and HELLO say that this is a cluster (cluster_enabled:1), because
//     cluster clients look there and plain clients do not. No MOVED or ASK is ever
//     sent: any node takes any command. The CLUSTER listings show one master of all
//     slots or, with ShowLeaders, each leader.
//   - Only database 0. Keys of one command or transaction share a slot; MGET,
//     EXISTS, DEL, UNLINK and TOUCH may span slots, and are then atomic only
//     within a group.
//   - WAIT counts the replicas besides the leader's that have this connection's
//     writes on disk. PUBLISH answers with the subscribers of this node. CONFIG
//     SET, CLIENT LIST and CLIENT KILL are about this node.
//   - A message is delivered at most once; who reads slower than 32 MiB is
//     behind is cut off.
//   - A waiter of BLPOP and the like is served in order of arrival at its node;
//     between nodes there is no order.
//
// It refuses scripting, streams, geo, replication commands and MONITOR.
package redis
