// Package supervisor runs a fleet: the processes of one cluster on this machine,
// each with a folder and ports of its own.
//
// Read in this order: Plan (what the fleet consists of, kept in fleet.json),
// Fleet (starts it and keeps it running), member (one node's life, as a value),
// Network (which links are cut or slow, as a value), Client (how `status` and
// `fault` reach a running fleet), Overview (what all nodes say, as one picture), PlayState (a
// plan that is played beside it), Faults.After (a node that breaks itself, without any supervisor).
//
// Files of a fleet's folder:
//
//	fleet.json    the plan; its presence makes the folder ours
//	fleet.lock    locked while a supervisor runs; holds its process id
//	control.json  address and token of the running supervisor, mode 0600
//	n1/ n2/ ...   one folder a node; node.log is what it printed, node.log.1 older
//
// Goroutines: Fleet.Run is the loop, and the only one that touches members and
// the network; one waits for each process; one per node passes faults on to it;
// one serves the control endpoint; one asks new nodes whether they have started; two wait for the
// run of a plan, which is a process of ours as nodes are. Run returns when all of them have returned.
//
// Invariants. At most one supervisor works in a folder. A node that died by
// itself is started again; one that was killed on request is not. A node never
// outlives its supervisor: it stops when its standard input ends, and on Linux
// the kernel kills it. A plan that is being discarded never starts a node.
//
// It refuses to work in a folder that it did not create, to change the number of
// nodes or groups of an existing fleet, and to listen beyond loopback.
package supervisor
