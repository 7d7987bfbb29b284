// Package queuetab is the console's tab of the queue: queues with their depths, oldest
// messages and rates; sending, peeking, working and redriving from the page; and a job's
// life, step by step.
//
// Read in this order: New (tab.go: what the page asks for), Keeper (keeper.go: the last
// hour), Step and arrange (life.go: a job's life, made of what all nodes noted of it). The
// page is page.html and queue.js.
//
// Invariants. What the page does to queues goes through the queue's native API, which is
// mounted here for it: what is refused is told in the machine's own words. What a page may
// do, the console has checked before: Host, Origin, password; where the queue asks for keys and
// the console for no password, the tab is closed. A life shows no effect before
// its cause, whatever the nodes' clocks say: leases are in the order of their tokens. Bodies
// are shown by peeking and receiving only; lives have none. Memory is bounded: queues,
// samples and happenings.
package queuetab
