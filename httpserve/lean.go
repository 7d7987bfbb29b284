package httpserve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Lean serves HTTP/1.0 and 1.1 for requests that are small and many, at half of what
// net/http's server costs (docs/decisions/0014-http-server.md). It reads them with net/http's own parser,
// and writes an answer in one piece when the handler is done: there is no Flush, Hijack or HTTP/2.
// A request's context ends with the request, with the server, and soon after its client has gone.
// All fields must be set.
type Lean struct {
	Handler http.Handler
	Log     *slog.Logger // of clients that do not speak HTTP, and handlers that panic

	MaxConnections int           // what comes beyond is closed as it comes
	MaxHeaderBytes int           // of a request; 431
	HeaderTimeout  time.Duration // from a header's first byte to its last, and for a TLS handshake
	BodyTimeout    time.Duration // for a request's body to come
	AnswerTimeout  time.Duration // for an answer to go
	IdleTimeout    time.Duration // between two requests
	Patience       time.Duration // for what is being answered when the server ends
}

// Serve answers on the listener until ctx ends, and closes it. What is being answered then
// has the server's patience to finish. It fails if the listener does before.
func (s *Lean) Serve(ctx context.Context, listener net.Listener) error {
	v := &visitors{most: s.MaxConnections, all: map[*conn]struct{}{}}
	cancel := context.AfterFunc(ctx, func() { _ = listener.Close() })
	err := s.accept(ctx, listener, v)
	if !cancel() {
		err = nil // it was closed because ctx ended
	} else {
		_ = listener.Close()
		err = fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	}
	v.stop(s.Patience)
	return err
}

// The pauses after which a listener that could not accept, for want of files, tries again.
const (
	firstAcceptPause = 5 * time.Millisecond
	lastAcceptPause  = time.Second
)

func (s *Lean) accept(ctx context.Context, listener net.Listener, v *visitors) error {
	pause := firstAcceptPause
	for {
		accepted, err := listener.Accept()
		if err != nil {
			var network net.Error
			if ctx.Err() != nil || !errors.As(err, &network) || errors.Is(err, net.ErrClosed) {
				return err
			}
			s.Log.Warn("a connection could not be accepted", "err", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
			pause = min(2*pause, lastAcceptPause)
			continue
		}
		pause = firstAcceptPause
		c := newConn(s, accepted)
		if !v.add(c) {
			_ = accepted.Close()
			continue
		}
		go func() {
			defer v.remove(c)
			c.serve(ctx)
		}()
	}
}

// visitors are the connections that are open.
type visitors struct {
	most int

	mu     sync.Mutex
	all    map[*conn]struct{} // guarded by mu
	ending chan struct{}      // guarded by mu: closed when the last has gone; nil until the server ends
}

func (v *visitors) add(c *conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.all) >= v.most {
		return false
	}
	v.all[c] = struct{}{}
	return true
}

func (v *visitors) remove(c *conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.all, c)
	if len(v.all) == 0 && v.ending != nil {
		close(v.ending)
		v.ending = nil
	}
}

// stop closes the connections that ask for nothing, and the others when they were answered,
// or when patience is over. It returns when all have gone.
func (v *visitors) stop(patience time.Duration) {
	v.mu.Lock()
	all := make([]*conn, 0, len(v.all))
	for c := range v.all {
		all = append(all, c)
	}
	gone := make(chan struct{})
	if len(all) == 0 {
		close(gone)
	} else {
		v.ending = gone
	}
	v.mu.Unlock()
	for _, c := range all {
		c.stop()
	}
	select {
	case <-gone:
		return
	case <-time.After(patience):
	}
	for _, c := range all {
		_ = c.net.Close()
	}
	<-gone
}
