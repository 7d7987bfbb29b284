// Package rest is the queue's native API: small, JSON over HTTP, with what Amazon SQS
// has no words for - results and progress of jobs, priorities, schedules, recurring
// messages. It has both ends: Handler, the door that a node opens beside SQS's, and
// Client, which programs and the command line use.
//
// Read in this order: routes.go, the table of all that can be asked; api.go, what
// requests and replies look like; answer.go, how each is carried out by a queue.Client;
// wait.go, how one waits for a job; handler.go, which takes a request from bytes to
// bytes; access.go, who may come in; problem.go, how failures are told; client.go and
// calls.go, the other end. openapi.json describes the same for programs of other
// languages, and a test holds the two together; docs/queue-api.md is made of it.
//
// Invariants. Each failure says whether the command may have been carried out. What a
// client sent is stored as it was sent, or refused, never mended. A message is in the
// same form to both doors: what was sent by one can be received by the other, and
// receipts are good at both. No secret and no body is logged.
//
// Unlike SQS it never says that a lease's message was finished when it was not: who
// lost a lease is told so (LeaseSuperseded, LeaseOver, MessageGone).
//
// Handler.Inside is the same API as a part of something else, the console, that checks by
// itself who may come in.
//
// It refuses: requests of web pages (but inside), bodies that are not JSON, members that it does
// not know, and strings that are not Unicode.
package rest
