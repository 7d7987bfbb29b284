package console

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"flotilla/httpserve"
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
	}
	return httpserve.Until(ctx, server, listener, shutdownTimeout)
}
