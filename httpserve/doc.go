// Package httpserve runs HTTP servers for as long as a context lives. Until runs net/http's own, for
// pages, streams and all that is asked for now and then. Lean is one for doors whose requests are small and
// many. The limits are the caller's: each door has its own reasons for them.
//
// A Lean server has a goroutine for each connection, which reads a request, has the handler answer it, and
// writes the answer; and one more while a request is answered for longer than a moment, which notices that
// the client goes.
package httpserve
