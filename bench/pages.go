package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// MaxPages is as many pages as the consoles of four nodes have at a time.
const MaxPages = 256

// Pages stands for browsers that have the console's page open, without what the page
// itself costs the machine that shows it: what a node pushes is read and thrown away.
type Pages struct {
	Addresses []string `json:"addresses,omitempty"` // of consoles, host:port; pages are spread over them in turn
	Count     int      `json:"count"`
}

// openPages are pages that are open.
type openPages struct {
	cancel  context.CancelFunc
	readers sync.WaitGroup
	bytes   atomic.Int64
	lost    atomic.Int64 // pages whose stream ended by itself
}

// open connects all pages. Close them.
func (p Pages) open(ctx context.Context) (*openPages, error) {
	if p.Count < 0 || p.Count > MaxPages {
		return nil, fmt.Errorf("%d pages: give 0 to %d", p.Count, MaxPages)
	}
	if p.Count > 0 && len(p.Addresses) == 0 {
		return nil, errors.New("no console to open pages of")
	}
	ctx, cancel := context.WithCancel(ctx)
	o := &openPages{cancel: cancel}
	for i := range p.Count {
		if err := o.add(ctx, p.Addresses[i%len(p.Addresses)]); err != nil {
			_ = o.close()
			return nil, err
		}
	}
	return o, nil
}

// add opens one page.
func (o *openPages) add(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/stream", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("open a page of the console on %s: %w", address, err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return fmt.Errorf("open a page of the console on %s: it answers %s", address, response.Status)
	}
	o.readers.Go(func() {
		_, _ = io.Copy((*counter)(&o.bytes), response.Body) // ends with an error, when it is closed or the node goes
		_ = response.Body.Close()
		if ctx.Err() == nil {
			o.lost.Add(1)
		}
	})
	return nil
}

// close closes the pages, and fails if one was lost before: then less was measured than
// was meant.
func (o *openPages) close() error {
	lost := o.lost.Load()
	o.cancel()
	o.readers.Wait()
	if lost > 0 {
		return fmt.Errorf("%d pages of the console were cut off while it was measured", lost)
	}
	return nil
}

// counter counts what is written to it.
type counter atomic.Int64

// Write is part of io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(b)))
	return len(b), nil
}
