package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"flotilla"
	"flotilla/transport"
)

// LabPath is where a node that runs for a lab takes faults, by POST, with the
// token as bearer: a transport.Faults as JSON.
const LabPath = "/lab/faults"

// encodeFaults returns what is posted there: all faults of what a node sends.
// It replaces those before it; none means that all links are good.
func encodeFaults(outgoing map[flotilla.NodeID]transport.Fault) []byte {
	raw, err := json.Marshal(transport.Faults{Outgoing: outgoing})
	flotilla.Assert(err == nil, "faults are always JSON: %v", err)
	return raw
}

// lab tells one node of its faults, and tells it again until it has listened: a
// node may be paused or just starting. One that starts gets them with its launch.
type lab struct {
	node     NodePlan
	token    string
	timing   Timing
	client   *http.Client
	requests chan telling // never closed
}

// telling is one document on its way to a node.
type telling struct {
	name     string
	document []byte
	// done gets nil once the node has this document or a later one, or why it
	// refused it; nothing while the node does not answer. It has room for that.
	done chan error
}

// maxTellings bounds how many documents may wait for a node that does not answer.
const maxTellings = 64

func newLab(node NodePlan, token string, timing Timing) *lab {
	return &lab{
		node:     node,
		token:    token,
		timing:   timing,
		client:   &http.Client{Timeout: timing.LabTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
		requests: make(chan telling, maxTellings),
	}
}

// tell hands a document over. It does not block. Only the loop calls it, so
// documents arrive in the order in which they were decided.
func (b *lab) tell(document []byte) telling {
	t := telling{name: b.node.Name(), document: document, done: make(chan error, 1)}
	for {
		select {
		case b.requests <- t:
			return t
		default:
		}
		// Full. A document replaces all before it, so the oldest may go; whoever
		// waits for it is told that it takes long.
		select {
		case <-b.requests:
		default:
		}
	}
}

func (b *lab) run(ctx context.Context) {
	var pending []telling // of which the last counts
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-b.requests:
			pending = append(pending, t)
		case <-retry.C:
		}
		if len(pending) == 0 {
			continue
		}
		err := b.post(ctx, pending[len(pending)-1].document)
		if err != nil && !errors.Is(err, errNoFaults) {
			retry.Reset(b.timing.LabRetry) // it may be starting, or paused
			pending = pending[max(len(pending)-maxTellings, 0):]
			continue
		}
		for _, t := range pending {
			t.done <- err
		}
		pending = nil
	}
}

// errNoFaults means that a node answered, but takes no such faults: telling it
// again would not help.
var errNoFaults = errors.New("refused its faults")

func (b *lab) post(ctx context.Context, document []byte) error {
	url := "http://" + b.node.HTTPAddr() + LabPath
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("tell %s of its faults: %w", b.node.Name(), err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := b.client.Do(req)
	if err != nil {
		return fmt.Errorf("tell %s of its faults: %w", b.node.Name(), err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // only words for the error
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %w: %s: %s", b.node.Name(), errNoFaults, res.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
