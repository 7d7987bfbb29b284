package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"net"

	"flotilla"
)

// Options is what a Transport needs to be told.
type Options struct {
	Cluster string          // the cluster's id: nodes with another one are refused
	Self    flotilla.NodeID // this node
	// Incarnation grows with each start of this node: a counter in its data
	// folder, or the time of the start in nanoseconds. Peers refuse a smaller one
	// than they have seen. Zero is not allowed.
	Incarnation uint64
	// Listen is the host:port to listen on; port 0 takes a free one (see Addr).
	Listen string
	// TLS names this node's certificate; nil means plain text.
	TLS *TLS
	// Insecure allows plain text beyond loopback.
	Insecure bool
	// Lab allows faults to be set (SetFault); Seed makes their chances repeatable.
	Lab  bool
	Seed uint64
	// SnapshotBytesPerSecond limits each outgoing snapshot; zero means no limit.
	SnapshotBytesPerSecond int64
	// Log may be nil.
	Log *slog.Logger
}

func (o *Options) validate() error {
	if o.Self == 0 {
		return errors.New("transport: Self is 0: nodes are numbered from 1")
	}
	if o.Cluster == "" {
		return errors.New("transport: Cluster is empty: nodes could not tell strangers from peers")
	}
	if o.Incarnation == 0 {
		return errors.New("transport: Incarnation is 0: give a number that grows with each start")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("node-to-node address %q: %w: write it as 127.0.0.1:7001", o.Listen, err)
	}
	if o.TLS == nil && !o.Insecure && !isLoopback(host) {
		return fmt.Errorf("listening for nodes on %s without certificates would let anyone on the network change data: "+
			"give TLS certificates (flotilla certs makes them), listen on 127.0.0.1, or allow it with --insecure", o.Listen)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
