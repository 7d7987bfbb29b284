package door

import (
	"context"
	"net"
	"sync"
)

// Pipe is a listener within the process.
type Pipe struct {
	dialed chan net.Conn // never closed
	closed chan struct{} // closed by Close
	once   sync.Once
}

// NewPipe returns a listener that nobody serves yet.
func NewPipe() *Pipe {
	return &Pipe{dialed: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to whoever serves the pipe.
func (p *Pipe) Dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.dialed <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept is part of net.Listener, as are the other methods.
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialed:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close has Accept and Dial fail.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr names the pipe.
func (p *Pipe) Addr() net.Addr { return address{} }

type address struct{}

// Network is part of net.Addr.
func (address) Network() string { return "page" }

// String is part of net.Addr.
func (address) String() string { return "page" }
