// Package sqs is the queue's door: it speaks Amazon SQS's protocols, so that the
// aws command line and any AWS SDK can use a queue through any node. The wire calls a
// Service, which asks the machines through a queue.Client.
//
// Read in this order: Service and the table of actions (actions.go); the requests
// and results (api.go, messages.go), each of which says once what its fields are
// called (shape.go); the codecs that go by that: AWS JSON 1.0 (json.go, render.go),
// the older Query protocol in (query.go) and its XML out (xml.go); Handler
// (handler.go, exchange.go), which takes a request from bytes to bytes; what needs no state to be refused
// (validate.go, attribute.go, batch.go); the Service (jobs.go, service.go), and what
// a message may ask for beyond SQS (extras.go); errors in AWS's words (errors.go);
// signatures (signature.go) and who may come without (access.go); addresses of
// queues (address.go).
//
// Invariants. A Service sees well-formed requests only, for a queue's name rather
// than its address. What attributes of a queue may be, and which receipt handles are
// genuine, the machine knows alone. Both protocols say the same: what one takes, the
// other takes. What a client sent is stored as it was sent or refused, never mended.
// Nothing of a request is held while a long poll waits but what it asks for. No
// secret, signature or body is logged.
//
// What is absent when empty: in XML every empty list and string; in JSON, too,
// apart from Successful of a batch and queueUrls of ListDeadLetterSourceQueues,
// which the API's model requires. So ReceiveMessage of an empty queue is {} or
// <ReceiveMessageResult/>.
//
// Differences from AWS that users should know:
//   - There is one account, 000000000000; regions are names in ARNs and no more.
//   - Values are checked before it is known whether the queue exists.
//   - A presigned request is good for as long as X-Amz-Expires says; then it is
//     RequestExpired, as AWS's list of common errors has it.
//   - A move task with a destination may begin at any queue, not only one for dead letters.
//   - Policies and permissions are kept and shown, and never asked.
//   - An empty string is the same as an absent one.
//   - Numbers are taken as strings in JSON, too.
//   - A queue's address is good under any host name; only its path counts.
//
// It refuses: other versions than 2012-11-05, signatures other than SigV4, list
// values of message attributes (as AWS does), SOAP.
package sqs
