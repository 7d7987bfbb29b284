package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of the HTTP server. Writing takes as long as the longest profile
// that somebody may ask for, and some.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	shutdownTimeout   = 2 * time.Second
)

// Serve answers HTTP on the listener until ctx ends, and closes it. What is being
// answered then has two seconds to finish. For TLS, wrap the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// A client that hangs up or speaks nonsense is not worth more than this.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// Requests learn that the node stops.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan error, 1)
	cancel := context.AfterFunc(ctx, func() {
		patience, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer done()
		if server.Shutdown(patience) != nil {
			stopped <- server.Close()
			return
		}
		stopped <- nil
	})
	err := server.Serve(listener)
	if cancel() {
		// It ended although nobody asked for it.
		return errors.Join(fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err), server.Close())
	}
	return <-stopped
}
