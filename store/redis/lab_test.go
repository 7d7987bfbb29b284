package redis

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flotilla"
	"flotilla/store/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a cluster of doors over one shared state.
type lab struct {
	*redistest.Cluster
	servers []*Server
	addrs   []string
}

// newLab starts a door for each node. setUp may change a server before it serves.
func newLab(t testing.TB, nodes, groups int, setUp ...func(*Server)) *lab {
	t.Helper()
	var listeners []net.Listener
	var ports []int
	for range nodes {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, listener)
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	l := &lab{Cluster: redistest.New(nodes, groups, ports...)}
	for i, listener := range listeners {
		s := &Server{Host: l.Host(i + 1), Version: "test"}
		for _, f := range setUp {
			f(s)
		}
		l.servers = append(l.servers, s)
		l.addrs = append(l.addrs, listener.Addr().String())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(context.Background(), listener) }()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			if err := <-ended; err != nil {
				t.Errorf("serve: %v", err)
			}
		})
	}
	t.Cleanup(l.Close)
	return l
}

// failureBox holds what makes a cluster's calls fail.
type failureBox struct {
	f atomic.Pointer[func(*flotilla.Call) error]
}

func (b *failureBox) set(f func(*flotilla.Call) error) { b.f.Store(&f) }

func (b *failureBox) next(call *flotilla.Call) error {
	if f := b.f.Load(); f != nil && *f != nil {
		return (*f)(call)
	}
	return nil
}
