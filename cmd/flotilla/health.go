package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const healthLong = `Asks the node of this machine, or of this container, whether it serves: whether every group
that it has a copy of has a leader, and it is not behind. The exit code is 0 if so, else 1. It finds
the node by the same settings that the node was started with (--listen-http, --tls-cert): flags,
environment or --config.`

const healthExample = `  flotilla health
  flotilla health --alive          # only whether the process answers at all
  flotilla health --wait 60s       # until it serves; then go on with the next node
  docker compose exec n1 /flotilla health --wait 60s`

// healthTimeout is how long one question may take, and healthInterval the time between two.
const (
	healthTimeout  = 2 * time.Second
	healthInterval = 100 * time.Millisecond
)

// maxHealthBytes bounds what a node says of why it does not serve.
const maxHealthBytes = 64 << 10

func newHealth(a *app) *cobra.Command {
	var settings nodeFlags
	var isAlive bool
	var wait time.Duration
	all := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	settings.add(all)
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "Ask the node of this machine whether it serves",
		Long:    healthLong,
		Example: healthExample,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait < 0 {
				return usageError{errors.New("--wait takes a time such as 60s")}
			}
			if settings.config == "" {
				settings.config = os.Getenv(environPrefix + "CONFIG")
			}
			if err := fillFlags(all, os.LookupEnv, settings.config); err != nil {
				return usageError{err}
			}
			path := "/readyz"
			if isAlive {
				path = "/healthz"
			}
			url, err := healthURL(settings.listenHTTP, settings.tlsCert != "", path)
			if err != nil {
				return usageError{err}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			said, err := waitHealth(ctx, url, wait)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, said)
			return err
		},
	}
	for _, name := range []string{"listen-http", "tls-cert", "config"} {
		cmd.Flags().AddFlag(all.Lookup(name))
	}
	cmd.Flags().BoolVar(&isAlive, "alive", false, "ask only whether the process answers, whatever it has to do without")
	cmd.Flags().DurationVar(&wait, "wait", 0, "ask for so long until the answer is yes")
	return cmd
}

// healthURL is where a node that listens there is asked. Who listens on all addresses
// listens on loopback, too.
func healthURL(listen string, isTLS bool, path string) (string, error) {
	host, port, err := splitAddress(listen)
	if err != nil {
		return "", fmt.Errorf("--listen-http=%s: %w: write it as 127.0.0.1:8080", listen, err)
	}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip != nil && ip.Equal(net.IPv4zero):
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	scheme := "http"
	if isTLS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)) + path, nil
}

// waitHealth asks until the answer is yes or the time is up, and returns the last one.
func waitHealth(ctx context.Context, url string, wait time.Duration) (said string, err error) {
	// The certificate is not looked at, as those who probe containers do not look at it
	// either: nothing secret is asked or told, and a node with an old certificate serves.
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	timeout := time.After(wait)
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	for {
		said, err = askHealth(ctx, client, url)
		if err == nil || wait == 0 {
			return said, err
		}
		select {
		case <-ctx.Done():
			return said, silentError{ctx.Err()}
		case <-timeout:
			return said, fmt.Errorf("after %v: %w", wait, err)
		case <-ticker.C:
		}
	}
}

// askHealth asks once. An error says why the answer is no.
func askHealth(ctx context.Context, client *http.Client, url string) (said string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Host = "localhost" // a name that every node knows as its own
	res, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("no node answers: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHealthBytes))
	if err != nil {
		return "", fmt.Errorf("the node's answer broke off: %w", err)
	}
	said = strings.ReplaceAll(strings.TrimSpace(string(body)), "\n", "; ")
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s", said)
	}
	return said, nil
}
