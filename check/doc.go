// Package check decides from the outside whether a cluster kept its promises:
// from what clients asked, when, and what they were told.
//
// Read in this order: Operation (history.go) and Recorder (recorder.go): what is
// written down. Verdict (verdict.go): what comes of it, in words. Then one file a promise:
//
//	Linearizable  linear.go    is there one order that explains all answers? Transactions are one step in it.
//	Durable       durable.go   is every acknowledged change there at the end, and nothing else?
//	Eventual      eventual.go  did each weak read see a state that once was?
//	Bounded       bounded.go   was that state current lately enough?
//	Session       session.go   did a client never see less than it had seen or changed before?
//	Watches       watches.go   was no transaction carried out although a key that it watched had changed?
//
// Silence (silence.go) measures for how long there was no answer: to one kind of question, and to anything.
//
// Queues have operations of their own (queue.go), a recorder (queue_recorder.go) and one
// judge, Queues, which looks at one message after the other (queue_view.go):
//
//	lost, invented     queue_lost.go    is what was accepted given out until it is deleted, and nothing else?
//	lost               queue_ready.go   is it found by who receives while it surely is ready?
//	altered            queue_altered.go is what is given out what was sent, by all that the sender knows of it?
//	two leases         queue_leases.go  has nobody a message that somebody else has?
//	stale              queue_stale.go   is a handle good for nothing once somebody else was given the message?
//	deleted, purged    queue_gone.go    does what was removed stay away?
//	order              queue_order.go   is a message group given out one after the other?
//	priority           queue_priority.go is what is urgent given out first?
//	sent twice         queue_once.go    does a deduplication id make one message?
//	early              queue_early.go   does nothing come before its delay is over?
//	counts, dead       queue_dead.go    is a message dead after as many receives as it should be?
//	tally              queue_tally.go   does a queue count what it has?
//	rate and others    queue_flow.go    is no more given out, leased or kept than its queue says?
//
// The three outcomes are the heart of it. An operation with a Known outcome took
// effect between its beginning and its end. One whose outcome is Unknown may have
// taken effect at any time after its beginning, or never: it stays open to the end
// of the history, unless somebody found what only it can have left (settle, in timeline.go).
// One that was Refused must never have had any effect: it is left out, and whoever saw
// its effect saw something that can not be explained.
//
// How it works. Linearizable searches with Porcupine: model.go says what each
// operation does to a key, together.go which keys must be searched as one, cut.go where
// a long history may be cut, and search.go how. The other checkers search
// nothing: timeline.go gathers what is known of one key, order.go which change surely
// came before which, and evidence.go what a read tells of the state that it saw.
//
// No checker accuses wrongly: where two explanations are possible, the better one is
// taken. What each can not see for that reason is in its comment. The other way round,
// it refuses to call a history good that it could not finish checking.
//
// What was found is kept as files by Finding (keep.go).
//
// The package knows nothing of Flotilla, starts no goroutine but Porcupine's, and
// reads no clock but to keep to the time that it is given: it serves a simulator with
// virtual time on one goroutine as well as clients of real processes. Its tests plant a
// violation of each kind, play random histories of a toy cluster that is right, or breaks
// one rule, and compare Linearizable with trying every order.
package check
