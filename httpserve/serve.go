package httpserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Until has a server answer on the listener until ctx ends, and closes it. Requests learn of
// that, and what is being answered then has so much time to finish. It fails if the server
// ends before.
func Until(ctx context.Context, server *http.Server, listener net.Listener, patience time.Duration) error {
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := make(chan error, 1)
	cancel := context.AfterFunc(ctx, func() {
		patience, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer done()
		if server.Shutdown(patience) != nil {
			stopped <- server.Close()
			return
		}
		stopped <- nil
	})
	err := server.Serve(listener)
	if cancel() { // it ended although nobody asked for it
		return errors.Join(fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err), server.Close())
	}
	return <-stopped
}
