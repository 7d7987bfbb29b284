// Package httpserve runs an HTTP server for as long as a context lives. Everything else, the
// limits first of all, is the server's own: each door has its own reasons for them.
package httpserve
