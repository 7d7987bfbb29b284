package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"

	"github.com/spf13/cobra"
)

// queueOptions are the flags that all verbs of `flotilla queue` have.
type queueOptions struct {
	dir, keysFile, tlsCA string
	addresses            []string
	isJSON               bool
}

const queueLong = `Asks the queue of the fleet in --dir, or of the nodes at --addr, over its native API
(docs/queue-api.md). The same queues can be used with any Amazon SQS client at the same ports.

  flotilla queue create mail --attribute ResultRetentionPeriod=3600
  flotilla queue send mail hello --wait 30s       # waits for what comes of it
  flotilla queue work mail -- ./send-mail.sh      # does jobs, in another terminal
  flotilla queue ls
  flotilla queue stats mail`

func newQueue(a *app) *cobra.Command {
	var o queueOptions
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Use the work queue: send, receive, look, do jobs",
		Long:  queueLong,
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&o.dir, "dir", "./flotilla-data", "the fleet's folder")
	_ = cmd.MarkPersistentFlagDirname("dir") // fails only for a flag that does not exist
	flags.StringSliceVar(&o.addresses, "addr", nil, "nodes' queue ports, host:port or https://host:port, instead of the fleet in --dir")
	flags.StringVar(&o.keysFile, "keys-file", "", "a file with an access key and its secret, as the nodes' --queue-keys-file; of several, the first by name counts")
	flags.StringVar(&o.tlsCA, "tls-ca", "", "the certificate of who signed the nodes' (for https)")
	flags.BoolVar(&o.isJSON, "json", false, "print JSON")
	cmd.AddCommand(newQueueList(a, &o), newQueueStats(a, &o), newQueueCreate(a, &o), newQueueRemove(a, &o), newQueueSend(a, &o), newQueueJob(a, &o),
		newQueueReceive(a, &o), newQueueFinish(a, &o), newQueueRelease(a, &o), newQueueProgress(a, &o), newQueuePeek(a, &o), newQueuePurge(a, &o),
		newQueueRedrive(a, &o), newQueueRecur(a, &o), newQueueWork(a, &o))
	return cmd
}

// verb finishes a command that asks the queue for something.
func (o *queueOptions) verb(cmd *cobra.Command, run func(ctx context.Context, c *rest.Client, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal ends the program at once
		client, err := o.client(ctx)
		if err != nil {
			return err
		}
		defer client.Close()
		return explained(run(ctx, client, args))
	}
	return cmd
}

// client returns a client of the nodes that were named, or of those of the fleet that run.
func (o *queueOptions) client(ctx context.Context) (*rest.Client, error) {
	c := &rest.Client{Addresses: o.addresses, Patience: 5 * time.Second}
	if o.keysFile != "" {
		keys, err := readQueueKeys(o.keysFile, "")
		if err != nil {
			return nil, usageError{errors.New(strings.Replace(err.Error(), "--queue-keys-file", "--keys-file", 1))}
		}
		for key, secret := range keys {
			if c.AccessKey == "" || key < c.AccessKey {
				c.AccessKey, c.Secret = key, secret
			}
		}
	}
	if o.tlsCA != "" {
		pem, err := os.ReadFile(o.tlsCA)
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(pem) {
			return nil, usageError{fmt.Errorf("--tls-ca=%s: it is to be a certificate in PEM (%v)", o.tlsCA, err)}
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		c.HTTP = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if len(c.Addresses) > 0 {
		return c, nil
	}
	overview, err := look(ctx, o.dir)
	if err != nil {
		return nil, err
	}
	var down []string // they may come back
	for _, n := range overview.Nodes {
		if n.IsUp {
			c.Addresses = append(c.Addresses, n.QueueAddr)
		} else {
			down = append(down, n.QueueAddr)
		}
	}
	if len(c.Addresses) == 0 {
		return nil, fmt.Errorf("no node of the fleet in %s answers: start it with `flotilla up --dir %s`, or name nodes with --addr", o.dir, o.dir)
	}
	c.Addresses = append(c.Addresses, down...)
	return c, nil
}

// remedies say what to do about an answer.
var remedies = map[string]string{
	queue.CodeQueueDoesNotExist:    "`flotilla queue ls` shows those that there are, `flotilla queue create` makes one",
	queue.CodeQueueNameExists:      "give the attributes that it has, or choose another name",
	queue.CodePurgeInProgress:      "wait a minute",
	queue.CodeLeaseSuperseded:      "what you did is lost, or done twice; give longer leases (--lease), or extend them",
	queue.CodeLeaseOver:            "give longer leases (--lease), or extend them",
	queue.CodeUnsupportedOperation: "change the queue's attributes, or wait",
	rest.CodeUnauthorized:          "name a file with an access key and its secret with --keys-file",
	rest.CodeForbidden:             "ask from the node's own machine, or give the nodes --queue-keys-file",
	rest.CodeUnreachable:           "is the node running? `flotilla status` shows those of a fleet",
	rest.CodeStrange:               "name the nodes' queue ports with --addr: `flotilla status` shows them",
	rest.CodeNoQuorum:              "start the nodes that are missing: `flotilla status` shows them",
	rest.CodeDiskFull:              "delete something, or add room",
	rest.CodeOutcomeUnknown:        "look whether it was done before you do it again",
}

// remediedError is a failure with what can be done about it.
type remediedError struct {
	error
	remedy string
}

// Error returns both as one line.
func (e remediedError) Error() string {
	return strings.TrimSuffix(e.error.Error(), ".") + ": " + e.remedy
}

// Unwrap returns the failure.
func (e remediedError) Unwrap() error { return e.error }

// explained adds to a failure what can be done about it.
func explained(err error) error {
	if remedy, ok := remedies[rest.CodeOf(err)]; ok {
		return remediedError{err, remedy}
	}
	return err
}

// printQueueJSON prints what was answered.
func printQueueJSON(a *app, value any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// splitPairs reads name=value texts.
func splitPairs(flag string, texts []string) (map[string]string, error) {
	all := map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--%s=%s: write it as NAME=VALUE", flag, text)}
		}
		all[name] = value
	}
	return all, nil
}

// wholeSeconds reads a flag's time, within bounds.
func wholeSeconds(flag string, d time.Duration, least, most int64) (int64, error) {
	seconds := int64(d / time.Second)
	if d%time.Second != 0 || seconds < least || seconds > most {
		return 0, usageError{fmt.Errorf("--%s=%v: give whole seconds from %ds to %ds", flag, d, least, most)}
	}
	return seconds, nil
}

// clock writes a time as people read it.
func clock(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04:05")
}

// excerpt is the beginning of a text, in one line.
func excerpt(text string, most int) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' ' // what a terminal would take for an order
		}
		return r
	}, text[:min(len(text), 4*most)]))
	if len(runes) > most || len(text) > 4*most {
		return string(runes[:min(len(runes), most-1)]) + "…"
	}
	return string(runes)
}

// settledError returns the first problem of what was settled.
func settledError(results []rest.SettleResult, err error) error {
	if i := slices.IndexFunc(results, func(r rest.SettleResult) bool { return r.Problem != nil }); err == nil && i >= 0 {
		return results[i].Problem
	}
	return err
}
