// Package queue is the durable work queue: the machine that carries out the commands
// of Amazon SQS on a group's state.
//
// Read in this order: command.go, what can be asked for; space.go, how queues and
// messages lie in the state; send.go, receive.go and settle.go, the life of a
// message; dead.go, where it ends if nobody can do its work; trie.go, why ten million
// messages cost no more than ten; entry.go and machine.go, how a command gets there
// from the log; client.go, what a door calls.
//
//	          put                 receive              delete
//	send ───────────▶ ready ───────────────▶ leased ───────────▶ (gone)
//	  │                ▲  ▲                    │ │
//	  └──▶ delayed ────┘  └──── lease ended ───┘ └──▶ the queue for dead messages,
//	                      └── retry ◀── backoff ─┘    after maxReceiveCount leases
//
// Invariants. A message is in one state, and the counters, the tries and the timers
// agree with it (the tests' harness compares all of them after each step). At most
// one lease of a message is live, and each has a greater token than the one before.
// A FIFO queue gives out nothing of a message group that has a message leased or
// waiting for a retry. Nothing is scanned to find what is next: the work of a command
// is bounded whatever a queue holds or held. Time is the entry's; jitter is chosen by
// the command's version; nothing depends on the order of a Go map.
//
// A lease that ran out goes on being good for a delete or an extension on a standard
// queue, until somebody else receives the message, or it goes to another queue: as it
// does at once when its last lease ends. A handle that was superseded never
// touches it: a delete is answered as done, as SQS does, and counted as stale; with
// the attribute Fencing=strict, and on FIFO queues, it is refused.
//
// Beyond SQS, as attributes of a queue: Fencing (sqs, strict), RetryBackoff (none, fixed,
// exponential) with RetryBackoffSeconds, RetryBackoffMaxSeconds and
// RetryBackoffJitterPercent, MaxInFlight and GroupMaxInFlight, RateLimit and
// GroupRateLimit in messages a second (group.go); Partitions (partition.go). Of a message: Priority, ScheduledAt. PutRecurring lets
// a queue send itself a message by a cron expression (recur.go, cron.go).
//
// A queue is its name's slot's group's. What goes to a queue of another group, dead
// or redriven, takes two steps (outbox.go).
//
// What happens to messages by themselves the machine tells as events (life.go); what clients do
// with them, each client notes, bounded and without bodies (client_life.go): the console makes a
// job's life of both.
//
// With ResultRetentionPeriod, what came of a job can be asked for by its message's id (job.go).
//
// With Partitions=N a queue is spread over groups: it then is N queues that only the client
// names, and a plan that says what they shall be (partition.go, docs/decisions/0010).
//
// Limits are in limits.go.
package queue
