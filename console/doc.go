// Package console is a node's web page, and what else it shows over HTTP: the whole
// cluster live, merged from what all nodes say; its status as JSON, its metrics, whether it is
// healthy and ready, profiles, and for a lab its faults.
//
// Read in this order: Console and Options (handler.go: every path), Tab (page.go; ask.go: one more
// system is one more folder), Report (journal.go: what a node tells consoles), watcher (watch.go:
// asks all nodes while a page is open) with history (merge.go: puts their notes in
// order), Picture (picture.go), pusher (stream.go), Tell (tell.go: notes in plain words), FaultAsk and
// See (faults.go), Expect (expect.go) by links (majority.go), Lab (lab.go; byhand.go where there is no
// supervisor), Plan (play.go), follow.go, load.go, Peers (peers.go); collector (metrics.go; metrics_doors.go and
// metrics_queue.go, those of doors and of queues), guard.go (who may ask),
// serve.go (the limits of the HTTP server). The page is in static: live.js wires its modules;
// moment.js makes the picture of a moment that is over, of the notes alone; states.js has
// the words for a node's state, for all pages.
//
// Invariants. What changes something is never a GET, and comes from a page of this node's. A
// request whose Host is not one of ours is refused, so that a web page elsewhere can not reach
// a node by renaming itself to 127.0.0.1; profiles are for loopback only. Where there is a
// password, everything but health asks for it. Nothing is loaded from elsewhere. With no page open, no other
// node is asked, but for who breaks something. No page shows an effect before its cause.
//
// Keys and values are shown by the store's tab only, bodies of messages by the queue's; they
// are never logged, and secrets are never shown.
package console
