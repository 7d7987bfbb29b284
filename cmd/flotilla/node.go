package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

const nodeLong = `Runs one node of a cluster in the foreground, until SIGINT or SIGTERM. Every setting can be
a flag, an environment variable (--listen-store is $FLOTILLA_LISTEN_STORE) or a key in the YAML
file named by --config (listen-store: ...); the first of these that is set counts.

A node listens on this machine only, unless it has TLS and a password, or --insecure.`

const nodeExample = `  flotilla node --id n1 --cluster prod --dir /var/lib/flotilla \
    --members n1=10.0.0.1:7001,n2=10.0.0.2:7001,n3=10.0.0.3:7001 \
    --listen-store 10.0.0.1:6379 --listen-http 10.0.0.1:8080 --listen-peer 10.0.0.1:7001 \
    --tls-cert n1.crt --tls-key n1.key --tls-ca ca.crt --password-file password

  FLOTILLA_ID=n1 flotilla node --config /etc/flotilla.yaml`

func newNode(a *app) *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use:     "node",
		Short:   "Run one node of a cluster (what containers use)",
		Long:    nodeLong,
		Example: nodeExample,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.config == "" {
				flags.config = os.Getenv(environPrefix + "CONFIG")
			}
			if err := checkEnviron(cmd.Flags(), os.Environ()); err != nil {
				return usageError{err}
			}
			if err := fillFlags(cmd.Flags(), os.LookupEnv, flags.config); err != nil {
				return usageError{err}
			}
			config, err := flags.check(os.LookupEnv)
			if err != nil {
				return usageError{err}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if config.StopWithStdin {
				ctx = untilEnd(ctx, os.Stdin)
			}
			return a.runNode(ctx, config)
		},
	}
	flags.add(cmd.Flags())
	return cmd
}

// untilEnd returns a context that also ends when the input does: that is how a
// node notices that its supervisor is gone. Its goroutine lives as long as the
// process, because nothing can interrupt the reading.
func untilEnd(ctx context.Context, input io.Reader) context.Context {
	ctx, stop := context.WithCancelCause(ctx)
	go func() {
		_, err := io.Copy(io.Discard, input)
		stop(errors.Join(errors.New("whoever started this node is gone"), err))
	}()
	return ctx
}
