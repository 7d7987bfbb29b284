package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"flotilla/queue"
	"flotilla/queue/rest"
	"flotilla/queue/sqs"
)

// The queue's doors, on a port of their own: Amazon SQS's protocols, and the native API
// below restPath.
const restPath = "/api/queue/"

// maxKeysBytes bounds a file of access keys, to notice a wrong one.
const maxKeysBytes = 1 << 20

// passwordKey is the access key whose secret is the node's password, where no file
// names others.
const passwordKey = "flotilla"

// openQueue makes the queue's client and doors, which serve nothing yet.
func (n *node) openQueue() {
	c := n.config
	hosts, isOpen := c.hosts(), c.IsInsecure && len(c.QueueKeys) == 0
	n.queueClient = queue.NewClient(n.server)
	n.queue = &sqs.Handler{Service: sqs.NewService(n.queueClient), Credentials: c.QueueKeys, AllowUnsigned: isOpen,
		Hosts: hosts, BaseURL: c.QueueURL, Log: n.log}
	n.queueREST = &rest.Handler{Client: n.queueClient, Host: n.server, Credentials: c.QueueKeys, AllowUnsigned: isOpen,
		Hosts: hosts, Log: n.log}
}

// serveQueue serves the queue until ctx ends.
func (n *node) serveQueue(ctx context.Context) error {
	defer n.queueClient.Close()
	defer n.queueREST.Close()
	carrier, stop := context.WithCancel(ctx)
	carried := make(chan struct{}) // closed by the goroutine below
	go func() {
		defer close(carried)
		n.queueClient.Run(carrier)
	}()
	defer func() { stop(); <-carried }()
	return sqs.Serve(ctx, n.queueAt, n.queueMux(), n.log)
}

// queueMux is all that is served on the queue's port. It chooses by the path alone: the
// standard library's would also clean paths, and so break signatures.
func (n *node) queueMux() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, restPath) {
			n.queueREST.ServeHTTP(w, r)
			return
		}
		n.queue.ServeHTTP(w, r)
	})
}

// readQueueKeys reads a file with an access key and its secret in each line. Without a
// file, a node with a password takes it as the secret of one key.
func readQueueKeys(file, password string) (map[string]string, error) {
	if file == "" {
		if password == "" {
			return nil, nil
		}
		return map[string]string{passwordKey: password}, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--queue-keys-file: %w", err)
	}
	wrong := func(line int) error {
		return fmt.Errorf("--queue-keys-file=%s: line %d is to be an access key and its secret, with a space between", file, line)
	}
	if len(raw) > maxKeysBytes {
		return nil, fmt.Errorf("--queue-keys-file=%s has more than %d KiB: name another file", file, maxKeysBytes>>10)
	}
	keys := map[string]string{}
	line := 0
	for text := range bytes.Lines(raw) {
		line++
		fields := strings.Fields(string(text))
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, wrong(line)
		}
		if _, isTwice := keys[fields[0]]; isTwice {
			return nil, fmt.Errorf("--queue-keys-file=%s: line %d names an access key again: give each one secret", file, line)
		}
		keys[fields[0]] = fields[1]
	}
	if len(keys) == 0 {
		return nil, wrong(1)
	}
	return keys, nil
}
