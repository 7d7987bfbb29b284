// Package worker does the jobs of a queue in a program of your own: it receives them,
// keeps their leases while they run, and reports what came of them, over the queue's
// native API.
//
// Read Worker first, then Job; lease.go is how a lease is kept.
//
// What it promises. A job is finished only if its Handler said so. If the Handler fails,
// panics, or the process is killed, somebody gets the job again: at once, after a
// backoff, or when its lease runs out. As long as a Handler runs, its lease is extended;
// if that does not work until the lease is over, the Handler's context ends, with
// ErrLeaseLost as its cause: somebody else may have the job by then. So a job may be done
// twice, and what a Handler writes to should refuse a Job.Token that is lower than one it
// has seen.
//
// What is received is run at once. Of a FIFO queue one job is received at a time, so that
// none waits here for another one of its group.
//
// Any node will do: give the addresses of several, and the worker goes on with another
// when one is gone.
//
// A program in another module imports this package from a copy of the source, as the module
// is called flotilla, which names no host to fetch it from. Its go.mod needs
//
//	require flotilla v0.0.0
//	replace flotilla => ../flotilla
//
// with the path of that copy; go mod tidy adds the rest.
//
// It does not: receive from several queues, keep an order beyond that of FIFO queues,
// or put a bound on how long a Handler runs.
package worker
