package console

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"

	"flotilla"
)

// Peers asks the consoles of other nodes. Where nodes reach each other under other names than
// clients do, as in containers, it tries those first, and keeps to what answers.
type Peers struct {
	Client   *http.Client
	IsTLS    bool
	Password string
	// Port is where consoles listen on the network between nodes: as this node's own does.
	Port int

	mu      sync.Mutex               // guards what follows
	isOuter map[flotilla.NodeID]bool // who is asked where clients reach it
}

// address returns where a node's console is to be asked, and whether there is another way.
func (p *Peers) address(n flotilla.NodeInfo) (address string, hasTwo bool) {
	outer := net.JoinHostPort(n.Host, strconv.Itoa(n.HTTPPort))
	host, _, err := net.SplitHostPort(n.PeerAddr)
	if err != nil || p.Port == 0 || host == n.Host {
		return outer, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isOuter[n.ID] {
		return outer, true
	}
	return net.JoinHostPort(host, strconv.Itoa(p.Port)), true
}

// turn has a node be asked the other way next time.
func (p *Peers) turn(id flotilla.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isOuter == nil {
		p.isOuter = map[flotilla.NodeID]bool{}
	}
	p.isOuter[id] = !p.isOuter[id]
}

// Ask sends a GET to another node's console.
func (p *Peers) Ask(ctx context.Context, n flotilla.NodeInfo, path string) (*http.Response, error) {
	return p.send(ctx, http.MethodGet, n, path, nil, "")
}

// send sends a request with the lab's token, or, if that is empty, the nodes' password.
func (p *Peers) send(ctx context.Context, method string, n flotilla.NodeInfo, path string, body []byte, token string) (*http.Response, error) {
	address, hasTwo := p.address(n)
	scheme := "http"
	if p.IsTLS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, method, scheme+"://"+address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	switch {
	case token != "":
		req.Header.Set("Authorization", "Bearer "+token)
	case p.Password != "":
		req.SetBasicAuth("node", p.Password)
	}
	res, err := p.Client.Do(req)
	if err != nil && hasTwo && !errors.Is(ctx.Err(), context.Canceled) {
		p.turn(n.ID)
	}
	return res, err
}
