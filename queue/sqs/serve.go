package sqs

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"flotilla/httpserve"
)

// The limits of the HTTP server. A long poll takes 20 seconds, and its request is
// being read and its answer written all that time, as net/http counts.
const (
	readHeaderTimeout = 5 * time.Second
	requestTimeout    = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 3 * time.Second
	maxHeaderBytes    = 64 << 10
	maxConnections    = 10000
)

// Serve answers requests on the listener until ctx ends, and closes it; long polls
// learn of that, and what is being answered has three seconds to finish. For TLS,
// wrap the listener. The handler may have others beside the door's.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         limitConnections(maxConnections),
	}
	return httpserve.Until(ctx, server, listener, shutdownTimeout)
}

// limitConnections closes each connection beyond the limit as it comes.
func limitConnections(limit int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(conn net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > limit {
				_ = conn.Close()
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}
