package httpserve

import (
	"context"
	"time"
)

// watchAfter is how long a request may be answered before somebody looks whether its client is
// still there: for the many that are answered sooner nothing is started.
const watchAfter = 100 * time.Millisecond

// begin notes that a request comes, and reports whether it will be answered.
func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isBusy = !c.isStopped
	return c.isBusy
}

// stop lets the connection end: at once if it asks for nothing, else when it is answered.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isStopped = true
	if !c.isBusy {
		_ = c.net.Close()
	}
}

// give notes that a handler begins, whose context cancel ends.
func (c *conn) give(cancel func()) {
	c.mu.Lock()
	c.isGiven, c.cancel = true, cancel
	c.mu.Unlock()
	c.timer.Reset(watchAfter)
}

// requestContext is the context of a request, and knows its connection.
type requestContext struct {
	context.Context
	conn *conn
}

type connKey struct{}

func (r requestContext) Value(key any) any {
	if key == (connKey{}) {
		return r.conn
	}
	return r.Context.Value(key)
}

// Watch has the end of a request's context come at once when its client goes, and not some time
// after: for who is about to wait for something that is for this client only. The context must be a
// request's, or made of it; if its server is none of ours, nothing happens.
func Watch(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		c.lookLater()
	}
}

// lookLater begins to look whether the client is still there, once its request has come whole:
// before that, what can be read is the body.
func (c *conn) lookLater() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.isGiven || c.watched != nil:
	case !c.body.isRead.Load():
		c.timer.Reset(watchAfter)
	default:
		_ = c.net.SetReadDeadline(time.Time{})
		c.watched = make(chan struct{})
		go c.watch(c.watched, c.cancel)
	}
}

// watch waits until the client goes, or takeBack ends it. A client that sends its next request
// already is there.
func (c *conn) watch(done chan struct{}, cancel func()) {
	defer close(done)
	var b [1]byte
	n, err := c.net.Read(b[:])
	if n == 1 {
		c.source.early, c.source.hasEarly = b[0], true
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isGiven && err != nil {
		cancel()
	}
}

// takeBack notes that the handler is done, and waits until nobody looks any more.
func (c *conn) takeBack() {
	c.timer.Stop()
	c.mu.Lock()
	c.isGiven, c.cancel = false, nil
	watched := c.watched
	if watched != nil {
		_ = c.net.SetReadDeadline(time.Unix(1, 0)) // its Read returns
	}
	c.mu.Unlock()
	if watched == nil {
		return
	}
	<-watched
	c.mu.Lock()
	c.watched = nil
	c.mu.Unlock()
	c.readUntil = time.Time{}
}
