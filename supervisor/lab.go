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
	"flotilla/cluster"
	"flotilla/transport"
)

// LabPath is where a node that runs for a lab takes Faults, as JSON, by POST, with the
// token as bearer.
const LabPath = "/lab/faults"

// Faults is all that is wrong with a node. It replaces what was before; none means that
// all is well.
type Faults struct {
	transport.Faults
	Clock cluster.Skew `json:"clock,omitzero"`
	// DiskDelayMillis is how much longer each synced write takes.
	DiskDelayMillis flotilla.Millis `json:"disk_delay_ms,omitempty"`
}

// MaxDiskDelayMillis bounds how slow a disk may be made: a node's loop waits for it, so that one
// write of a second is to the others a second of silence.
const MaxDiskDelayMillis flotilla.Millis = 5000

// Check says what is wrong with Faults that no node would take, apart from those of its
// links, which the transport checks; nil if nothing is.
func (f Faults) Check() error {
	if f.DiskDelayMillis < 0 || f.DiskDelayMillis > MaxDiskDelayMillis {
		return fmt.Errorf("a disk that is %d ms slow: give 0 to %d", f.DiskDelayMillis, MaxDiskDelayMillis)
	}
	return f.Clock.Check()
}

// encodeFaults returns what is posted to a node: the faults of what it sends, of its
// clocks, and of its disk.
func encodeFaults(outgoing map[flotilla.NodeID]transport.Fault, clock cluster.Skew, diskDelay flotilla.Millis) []byte {
	raw, err := json.Marshal(Faults{transport.Faults{Outgoing: outgoing}, clock, diskDelay})
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
		err := b.post(ctx, LabPath, pending[len(pending)-1].document)
		if err != nil && !errors.Is(err, errRefused) {
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

// errRefused means that a node answered, and will not do what it is told: telling it
// again would not help.
var errRefused = errors.New("refused")

// post tells a node something of its lab.
func (b *lab) post(ctx context.Context, path string, document []byte) error {
	url := "http://" + b.node.HTTPAddr() + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("tell %s: %w", b.node.Name(), err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := b.client.Do(req)
	if err != nil {
		return fmt.Errorf("tell %s: %w", b.node.Name(), err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // only words for the error
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %w: %s: %s", b.node.Name(), errRefused, res.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
