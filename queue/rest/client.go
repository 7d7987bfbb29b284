package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Client asks a cluster's nodes over the API. Any node takes any request: it stays with
// one, and goes to the next when that fails. What was certainly not carried out, and what
// may be done twice without harm, it tries again, for as long as Patience lasts. Its
// methods may be called from any goroutine; what they return as error is a *Problem.
type Client struct {
	// Addresses are those of the nodes: host:port, or https://host:port. One at least.
	Addresses []string
	// AccessKey and Secret are sent where the nodes have credentials configured.
	AccessKey, Secret string
	// HTTP may be nil.
	HTTP *http.Client
	// Patience is how long after a first failure it goes on trying; 0 means 30 s, and
	// below 0 not at all.
	Patience time.Duration

	once sync.Once
	http *http.Client
	at   atomic.Uint32 // the address that is in use
}

const (
	standardPatience = 30 * time.Second
	answerTimeout    = 8 * time.Second // of one node, which itself gives up after 5 s
	firstPause       = 50 * time.Millisecond
	longestPause     = time.Second
	maxReplyBytes    = 128 << 20
	idleConnections  = 128
)

// The codes of failures that the client itself finds.
const (
	CodeUnreachable = "Unreachable" // no node answers
	CodeStrange     = "Strange"     // what answers is no node of ours
)

// request is one thing to be asked for.
type request struct {
	method, path string
	query        url.Values
	in           any           // nil: no body
	wait         time.Duration // that a node may take because it was asked to wait
	repeats      bool          // doing it twice harms nobody
}

// of returns a path below a queue, with its parts escaped.
func of(queue string, parts ...string) string {
	var path strings.Builder
	path.WriteString("/queues/" + url.PathEscape(queue))
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

// ask carries out a request at whatever node can do it, and fills out, unless that is
// nil. isRepeated says that an attempt before the last may have been carried out, too.
func (c *Client) ask(ctx context.Context, r request, out any) (isRepeated bool, err error) {
	c.once.Do(c.start)
	if len(c.Addresses) == 0 {
		return false, &Problem{Code: CodeUnreachable, Message: "no address of a node was given"}
	}
	var body []byte
	if r.in != nil {
		if body, err = json.Marshal(r.in); err != nil {
			return false, &Problem{Code: CodeMalformed, Message: err.Error()}
		}
	}
	var deadline time.Time
	pause := firstPause
	for {
		at := c.at.Load()
		problem := c.attempt(ctx, c.Addresses[int(at)%len(c.Addresses)], r, body, out)
		if problem == nil {
			return isRepeated, nil
		}
		isRepeated = isRepeated || problem.MayHaveHappened
		if !problem.isPassing || problem.MayHaveHappened && !r.repeats || ctx.Err() != nil {
			problem.MayHaveHappened = isRepeated
			return isRepeated, problem
		}
		c.at.CompareAndSwap(at, at+1) // the first who finds out
		if deadline.IsZero() {
			deadline = time.Now().Add(c.patience())
		}
		if !sleep(ctx, jitter(pause), deadline) {
			problem.MayHaveHappened = isRepeated
			return isRepeated, problem
		}
		pause = min(2*pause, longestPause)
	}
}

func (c *Client) start() {
	c.http = c.HTTP
	if c.http == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = idleConnections
		c.http = &http.Client{Transport: transport,
			// A node sends nobody elsewhere, and a secret must not follow.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
}

// Close closes connections that are not in use.
func (c *Client) Close() {
	c.once.Do(c.start)
	c.http.CloseIdleConnections()
}

func (c *Client) patience() time.Duration {
	if c.Patience == 0 {
		return standardPatience
	}
	return c.Patience
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// sleep waits, and reports false if the deadline or ctx's end comes before.
func sleep(ctx context.Context, d time.Duration, deadline time.Time) bool {
	if time.Now().Add(d).After(deadline) {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt asks one node once.
func (c *Client) attempt(ctx context.Context, address string, r request, body []byte, out any) *Problem {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	target := strings.TrimSuffix(address, "/") + prefix + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	patient, cancel := context.WithTimeout(ctx, r.wait+answerTimeout)
	defer cancel()
	sent, err := http.NewRequestWithContext(patient, r.method, target, bytes.NewReader(body))
	if err != nil {
		return &Problem{Code: CodeUnreachable, Message: err.Error()}
	}
	if body == nil {
		sent.Body, sent.GetBody = http.NoBody, nil
	} else {
		sent.Header.Set("Content-Type", "application/json")
	}
	if c.AccessKey != "" {
		sent.SetBasicAuth(c.AccessKey, c.Secret)
	}
	answer, err := c.http.Do(sent)
	if err != nil {
		return unreachable(err, r)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxReplyBytes+1))
	_ = answer.Body.Close() // it was read, or will not be
	if err != nil || len(raw) > maxReplyBytes {
		return unreachable(errors.Join(err, errors.New("the answer did not arrive whole")), r)
	}
	return read(address, answer, raw, r, out)
}

// unreachable is the Problem of a node that did not answer.
func unreachable(err error, r request) *Problem {
	p := &Problem{Code: CodeUnreachable, Message: err.Error(), cause: err, isPassing: true, MayHaveHappened: r.method != http.MethodGet}
	var dial *net.OpError
	var foreign *tls.CertificateVerificationError
	switch {
	case errors.As(err, &foreign):
		p.isPassing, p.MayHaveHappened = false, false
	case errors.As(err, &dial) && dial.Op == "dial":
		p.MayHaveHappened = false
	}
	return p
}

// read takes an answer apart.
func read(address string, answer *http.Response, raw []byte, r request, out any) *Problem {
	if answer.StatusCode == http.StatusNoContent && out == nil {
		return nil
	}
	if answer.StatusCode == http.StatusOK && out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			return &Problem{Code: CodeStrange, Message: fmt.Sprintf("%s answers, but not as this API does: %v", address, err), MayHaveHappened: r.method != http.MethodGet}
		}
		return nil
	}
	var failed failure
	if json.Unmarshal(raw, &failed) != nil || failed.Problem == nil || failed.Problem.Code == "" {
		return &Problem{Code: CodeStrange, Status: answer.StatusCode, MayHaveHappened: answer.StatusCode >= 500 && r.method != http.MethodGet,
			Message: fmt.Sprintf("%s answers %q, but not as this API does: is that a node's queue port?", address, answer.Status)}
	}
	p := failed.Problem
	p.Status = answer.StatusCode
	p.isPassing = p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout
	return p
}
