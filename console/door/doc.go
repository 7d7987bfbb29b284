// Package door is the way from a node's web page into the node's own Redis door: a listener
// that the door serves beside its port, and a small client. What the page asks for so goes
// the way of any client's commands.
//
// Read in this order: Pipe (pipe.go), Client and Reply (client.go). A reply that is larger
// than a page can show is an error; the connection is then of no more use.
package door
