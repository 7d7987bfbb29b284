package sqs

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"flotilla/httpserve"
)

// The limits of the HTTP server. A long poll takes 20 seconds, which count for none of them.
const (
	readHeaderTimeout = 5 * time.Second
	bodyTimeout       = 60 * time.Second
	answerTimeout     = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 3 * time.Second
	maxHeaderBytes    = 64 << 10
	maxConnections    = 10000
)

// Serve answers requests on the listener until ctx ends, and closes it; long polls
// learn of that, and what is being answered has three seconds to finish. For TLS,
// wrap the listener. The handler may have others beside the door's.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &httpserve.Lean{
		Handler:        handler,
		Log:            log,
		MaxConnections: maxConnections,
		MaxHeaderBytes: maxHeaderBytes,
		HeaderTimeout:  readHeaderTimeout,
		BodyTimeout:    bodyTimeout,
		AnswerTimeout:  answerTimeout,
		IdleTimeout:    idleTimeout,
		Patience:       shutdownTimeout,
	}
	return server.Serve(ctx, listener)
}
