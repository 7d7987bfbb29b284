package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flotilla"
	"flotilla/cluster"
	"flotilla/consensus"
	"flotilla/console"
	"flotilla/console/clustertab"
	"flotilla/console/door"
	"flotilla/console/queuetab"
	"flotilla/lab/moment"
	"flotilla/queue"
	"flotilla/queue/rest"
	"flotilla/queue/sqs"
	"flotilla/storage"
	"flotilla/store"
	"flotilla/store/redis"
	"flotilla/supervisor"
	"flotilla/transport"

	"golang.org/x/sync/errgroup"
)

// minMemory is what a node can work with at all.
const minMemory = 64 << 20

// drainTimeout is how long a node that stops tries to give its leaders away.
const drainTimeout = 2 * time.Second

// runNode runs a node until ctx ends.
func runNode(ctx context.Context, c nodeConfig) (err error) {
	log := newLog(c).With("node", c.ID.String())
	if c.IsInsecure {
		log.Warn("INSECURE: whoever can reach this node's ports can read and change all data")
	}
	incarnation, err := openIdentity(c)
	if err != nil {
		return err
	}
	n := &node{config: c, log: log, incarnation: incarnation, journal: cluster.NewJournal(c.ID, microsNow)}
	limitMemory(c.MemoryBytes, n.storageOptions())
	if err := n.openDisk(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.closeDisk(err)) }()
	if err := n.openNetwork(); err != nil {
		return err
	}
	config, err := n.clusterConfig()
	if err == nil {
		n.server, err = cluster.New(config)
	}
	if err != nil {
		return errors.Join(err, n.closeNetwork())
	}
	log.Info("the node starts", "version", version(), "dir", c.Dir, "store", c.ListenStore, "queue", c.ListenQueue, "http", c.ListenHTTP, "peer", c.ListenPeer)
	return n.serve(ctx)
}

// node is a node's parts while it runs.
type node struct {
	config      nodeConfig
	log         *slog.Logger
	incarnation uint64 // grows with each start
	disk        *storage.Disk
	transport   *transport.Transport
	trap        *moment.Trap // nil unless the node runs for a lab
	journal     *cluster.Journal
	server      *cluster.Server
	wrong       atomic.Pointer[supervisor.Faults] // as setFaults last had it; nil: all is well
	changing    sync.Mutex                        // held while wrong changes
	door        *redis.Server
	queue       *sqs.Handler
	queueREST   *rest.Handler
	queueClient *queue.Client
	storeAt     net.Listener
	queueAt     net.Listener
	httpAt      net.Listener
}

// openDisk opens the node's data. What is damaged is set aside: the node then comes
// back with new copies that the others fill.
func (n *node) openDisk() error {
	dir, options := n.config.dataDir(), n.storageOptions()
	disk, err := storage.Open(dir, options)
	var damaged *storage.DamagedError
	if errors.As(err, &damaged) {
		n.log.Error("the data is damaged and is set aside; the other nodes will send new copies", "err", err)
		if _, err := storage.Quarantine(dir, options); err != nil {
			return fmt.Errorf("set the damaged data aside: %w", err)
		}
		disk, err = storage.Open(dir, options)
	}
	if err != nil {
		return fmt.Errorf("open the data: %w", err)
	}
	n.disk = disk
	return nil
}

// storageOptions gives the disk a sixteenth of the memory and less for each thing: the
// same shares as its defaults have of 1 GiB.
func (n *node) storageOptions() storage.Options {
	bytes := n.config.MemoryBytes
	return storage.Options{
		Log:             n.log,
		Lab:             n.config.IsLab,
		Quiet:           debug.FreeOSMemory,
		StateCacheBytes: bytes / 16,
		LogSegmentBytes: min(bytes/32, 16<<20),
		TailBytes:       int(min(bytes/64, 8<<20)),
		DirtyBytes:      int(min(bytes/16, 256<<20)),
	}
}

// closeDisk closes the data, and sets it aside if it was found damaged: by the disk, or
// because another node knows of what is not there any more.
func (n *node) closeDisk(cause error) error {
	damage := n.disk.Damage()
	if damage == nil && errors.Is(cause, consensus.ErrLog) {
		damage = cause
	}
	err := n.disk.Close()
	if damage == nil {
		return err
	}
	n.log.Error("the data is damaged and is set aside; start the node again, and the others will send new copies", "err", damage)
	if _, err := storage.Quarantine(n.config.dataDir(), n.storageOptions()); err != nil {
		return fmt.Errorf("set the damaged data aside: %w", err)
	}
	if cause == nil {
		return damage
	}
	return nil
}

// openNetwork opens all ports, so that a taken one is noticed before anything runs.
func (n *node) openNetwork() error {
	c := n.config
	options := transport.Options{Cluster: c.Cluster, Self: c.ID, Incarnation: n.incarnation, Listen: c.ListenPeer,
		Insecure: c.IsInsecure, Lab: c.IsLab, Seed: n.incarnation,
		Log: newLog(c)} // it adds the node itself
	if c.TLSCert != "" {
		options.TLS = &transport.TLS{CertFile: c.TLSCert, KeyFile: c.TLSKey, CAFile: c.TLSCA}
	}
	var err error
	if n.transport, err = transport.New(options); err != nil {
		return err
	}
	if n.storeAt, err = net.Listen("tcp", c.ListenStore); err != nil {
		return errors.Join(fmt.Errorf("listen for Redis clients: %w: stop what uses the port, or choose another --listen-store", err), n.closeNetwork())
	}
	if n.queueAt, err = net.Listen("tcp", c.ListenQueue); err != nil {
		return errors.Join(fmt.Errorf("listen for queue clients: %w: stop what uses the port, or choose another --listen-queue", err), n.closeNetwork())
	}
	if n.httpAt, err = net.Listen("tcp", c.ListenHTTP); err != nil {
		return errors.Join(fmt.Errorf("listen for HTTP: %w: stop what uses the port, or choose another --listen-http", err), n.closeNetwork())
	}
	return n.secureDoors()
}

// secureDoors has clients speak TLS where the node has a certificate.
func (n *node) secureDoors() error {
	if n.config.TLSCert == "" {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(n.config.TLSCert, n.config.TLSKey)
	if err != nil {
		return errors.Join(fmt.Errorf("load the certificate: %w", err), n.closeNetwork())
	}
	options := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	for _, listener := range []*net.Listener{&n.storeAt, &n.queueAt, &n.httpAt} {
		*listener = tls.NewListener(*listener, options)
	}
	return nil
}

func (n *node) closeNetwork() error {
	errs := []error{n.transport.Close()}
	for _, listener := range []net.Listener{n.storeAt, n.queueAt, n.httpAt} {
		if listener != nil {
			errs = append(errs, listener.Close())
		}
	}
	return errors.Join(errs...)
}

func (n *node) clusterConfig() (cluster.Config, error) {
	c := n.config
	hasQuarantine, err := n.disk.HasQuarantine()
	if err != nil {
		return cluster.Config{}, fmt.Errorf("look for data that was set aside: %w", err)
	}
	disk, over := consensus.Disk(n.disk), cluster.Transport(n.transport)
	if c.IsLab {
		n.trap = &moment.Trap{End: moment.Kill}
		disk, over = moment.Around(n.trap, disk, over)
	}
	return cluster.Config{Cluster: c.Cluster, Self: c.ID, Members: c.Members, Groups: c.Groups, Replicas: c.Replicas,
		Machines: map[flotilla.System]flotilla.Machine{flotilla.SystemStore: store.Machine{}, flotilla.SystemQueue: queue.Machine{}},
		Disk:     disk, Transport: over, Log: n.log, Version: version(),
		IsBootstrap: !c.IsJoin && !hasQuarantine, AsksFirst: !c.IsFirst, Journal: n.journal, Lost: n.disk.Lost(), ForgetLost: n.forgetLost, Incarnation: n.incarnation}, nil
}

func (n *node) forgetLost(g flotilla.GroupID) {
	if err := n.disk.ForgetLost(g); err != nil {
		n.log.Error("the list of lost copies could not be written", "group", g, "err", err)
	}
}

// serve runs all parts until ctx ends or one fails. Doors stop first, then the
// node hands its leaders over, then it ends.
func (n *node) serve(ctx context.Context) error {
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	parts, failed := errgroup.WithContext(inner)
	outer, stopOuter := context.WithCancel(ctx)
	defer stopOuter()
	context.AfterFunc(failed, stopOuter)
	n.door = &redis.Server{Host: n.server, Password: n.config.Password, ShowLeaders: n.config.ShowLeaders, Version: version(),
		ReplyBytes: n.config.MemoryBytes / 4,
		HasRoom:    n.disk.Room, DiskBytes: func() uint64 { return n.disk.Stats().StateBytes }, CPUSeconds: cpuSeconds, Log: n.log}
	var doors errgroup.Group
	n.openQueue()
	parts.Go(func() error { return n.server.Run(inner) })
	parts.Go(func() error { return n.transport.Run(inner, n.server) })
	parts.Go(func() error { return adaptProcessors(inner) })
	doors.Go(func() error { return n.door.Serve(outer, n.storeAt) })
	doors.Go(func() error { return n.serveQueue(outer) })
	pipe := door.NewPipe()
	hour := &clustertab.Keeper{Status: n.server.Status, Store: n.door.Stats}
	queues := &queuetab.Keeper{Summaries: n.queueClient.Summaries}
	page := console.New(n.consoleOptions(pipe, hour, queues))
	doors.Go(func() error { hour.Run(outer); return nil })
	doors.Go(func() error { queues.Run(outer); return nil })
	doors.Go(func() error { return n.door.Serve(outer, pipe) })
	doors.Go(func() error { page.Run(outer); return nil })
	doors.Go(func() error { return console.Serve(outer, n.httpAt, page, n.log) })
	<-outer.Done()
	n.log.Info("the node stops")
	drain, cancel := context.WithTimeout(inner, drainTimeout)
	_ = n.server.Drain(drain) // if it takes too long, the others elect leaders
	cancel()
	err := doors.Wait()
	stopInner()
	return errors.Join(err, parts.Wait())
}

func newLog(c nodeConfig) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: shortError}))
}

// shortError has errors say what happened, and not where: some of Pebble's would
// fill a page with their stack.
func shortError(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok && err != nil {
		return slog.String(a.Key, err.Error())
	}
	return a
}

// What a node has in memory beside the heap: the program's own pages, and, with
// cgo, which Go uses where there is a C compiler, Pebble's caches and memtables.
const (
	programBytes = 32 << 20
	leastHeap    = 40 << 20 // below it the collector would do nothing but collect
	cgoFactor    = 2        // C's allocator was seen to hold nearly twice what is in use
)

// limitMemory has the garbage collector work harder as the node comes near its
// limit. Far below it, memory is collected when it has doubled, as usual.
func limitMemory(bytes int64, o storage.Options) {
	beside := int64(programBytes)
	if usesCgo() {
		beside += cgoFactor * o.StateCacheBytes
	}
	debug.SetMemoryLimit(max(bytes-beside, bytes*2/5, leastHeap))
	debug.SetGCPercent(100)
}

// usesCgo reports whether the program was built with cgo. It needs none.
func usesCgo() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "1"})
}
