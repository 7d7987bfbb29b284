package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"flotilla"
	"flotilla/cluster"

	"github.com/spf13/pflag"
)

// The environment variables of what must not be in a command line, which every
// user of the machine can read, and of what only a supervisor sets.
const (
	labTokenEnv  = environPrefix + "LAB_TOKEN"
	labFaultsEnv = environPrefix + "LAB_FAULTS"
	labFleetEnv  = environPrefix + "LAB_FLEET"
)

// maxPasswordBytes bounds a password file, to notice a wrong one.
const maxPasswordBytes = 1 << 10

// defaultMemory is what a node may use if nobody says.
const defaultMemory = "1GiB"

// showLeadersHelp is of a flag that all nodes must have, or none.
const showLeadersHelp = "show cluster clients every leader as a master; DBSIZE, SCAN, KEYS, FLUSHALL then speak of a node's own groups (all nodes alike)"

// nodeConfig is what a node was told, checked.
type nodeConfig struct {
	ID      flotilla.NodeID
	Cluster string
	Dir     string
	// Members are all nodes of the cluster at its first start, this one with what
	// it advertises.
	Members []flotilla.NodeInfo

	ListenStore, ListenHTTP, ListenPeer, ListenQueue string

	Groups, Replicas int
	IsJoin           bool              // an empty folder means lost data, not a new cluster
	IsFirst          bool              // the node has never started, so that an empty folder has lost nothing
	Password         string            // empty: none
	QueueKeys        map[string]string // secrets of the queue's clients, by access key; none: unsigned, from this machine only
	QueueURL         string            // what addresses of queues begin with; empty: as each client came
	TLSCert          string            // files; all three or none
	TLSKey           string
	TLSCA            string
	IsInsecure       bool
	ShowLeaders      bool // see redis.Server

	IsLab     bool
	LabToken  string // that /lab/faults asks for
	LabFleet  string // the folder of the fleet that the node is part of; empty: of none
	LabFaults string // a supervisor.Faults as JSON that holds from the start; may be empty

	MemoryBytes   int64
	LogLevel      slog.Level
	StopWithStdin bool // whoever started the node holds its standard input open
}

// self returns what this node tells others of itself.
func (c nodeConfig) self() flotilla.NodeInfo {
	for _, m := range c.Members {
		if m.ID == c.ID {
			return m
		}
	}
	return flotilla.NodeInfo{}
}

// hosts returns the names by which clients and other nodes know this node.
func (c nodeConfig) hosts() []string {
	self := c.self()
	peerHost, _, _ := splitAddress(self.PeerAddr) // it was read before
	return []string{self.Host, peerHost}
}

// nodeFlags are the flags of `flotilla node` as they were written.
type nodeFlags struct {
	id, cluster, dir, members        string
	listenStore, listenHTTP          string
	listenPeer, listenQueue          string
	advertiseHost                    string
	advertiseStore, advertiseHTTP    int
	advertiseQueue                   int
	groups, replicas                 int
	passwordFile                     string
	queueKeysFile, queueURL          string
	tlsCert, tlsKey, tlsCA           string
	isInsecure, isLab, stopWithStdin bool
	isJoin, isFirst, showLeaders     bool
	memory, logLevel                 string
	config                           string
}

func (f *nodeFlags) add(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVar(&f.id, "id", "", "this node's name, such as n1")
	flags.StringVar(&f.cluster, "cluster", "", "the cluster's name; nodes of other clusters are not talked to")
	flags.StringVar(&f.dir, "dir", "./flotilla-node", "the folder for this node's data")
	flags.StringVar(&f.members, "members", "", `all nodes, the same list on each: "n1=host:7001,n2=host:7001,..."; or, if clients reach them elsewhere, "n1=host:7001/example.org:6379/8080,...": the store's host and port, and the HTTP port`)
	flags.StringVar(&f.listenStore, "listen-store", "127.0.0.1:6379", "where Redis clients connect")
	flags.StringVar(&f.listenHTTP, "listen-http", "127.0.0.1:8080", "where metrics, health and status are")
	flags.StringVar(&f.listenPeer, "listen-peer", "127.0.0.1:7001", "where other nodes connect")
	flags.StringVar(&f.listenQueue, "listen-queue", "127.0.0.1:9324", "where SQS clients and the queue's own API connect")
	flags.StringVar(&f.advertiseHost, "advertise-host", "", "the host that this node tells clients of itself (default: the one in --members, where all nodes see it)")
	flags.IntVar(&f.advertiseStore, "advertise-store-port", 0, "the store's port that clients are told (default: as listened on)")
	flags.IntVar(&f.advertiseHTTP, "advertise-http-port", 0, "the HTTP port that people are told (default: as listened on)")
	flags.IntVar(&f.advertiseQueue, "advertise-queue-port", 0, "the queue's port that clients are told (default: as listened on)")
	flags.IntVar(&f.groups, "groups", 0, "how many groups share the slots (default 1, with more than 3 nodes one for each); counts at the cluster's first start only")
	flags.IntVar(&f.replicas, "replicas", cluster.DefaultReplicas, "copies of each group; counts at the cluster's first start only")
	flags.BoolVar(&f.isJoin, "join", false, "the cluster exists already: if the data folder is empty, ask the others for new copies, also if none of them is to be heard (without it, a node with an empty folder asks a majority first)")
	flags.BoolVar(&f.isFirst, "first", false, "the node has never started: if the data folder is empty, it makes the first copies without asking the others")
	_ = flags.MarkHidden("first") // for supervisors, which know; it fails only for a flag that does not exist
	flags.BoolVar(&f.showLeaders, "show-leaders", false, showLeadersHelp)
	flags.StringVar(&f.passwordFile, "password-file", "", "a file with the password that clients need")
	flags.StringVar(&f.queueKeysFile, "queue-keys-file", "", "a file of the queue's access keys, one and its secret a line (default: the key \"flotilla\" with the password, if there is one)")
	flags.StringVar(&f.queueURL, "queue-url", "", "what the addresses of queues begin with, such as https://queue.example.com (default: as each client reached the node)")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "this node's certificate (PEM); \"flotilla certs\" makes one")
	flags.StringVar(&f.tlsKey, "tls-key", "", "its key")
	flags.StringVar(&f.tlsCA, "tls-ca", "", "the authority's certificate")
	flags.BoolVar(&f.isInsecure, "insecure", false, "INSECURE: listen beyond this machine without TLS or password; anyone there can read and change all data")
	flags.BoolVar(&f.isLab, "lab", false, "let the holder of $"+labTokenEnv+" break this node's links, clocks and disk, also from its page; never in production")
	flags.StringVar(&f.memory, "memory", defaultMemory, "how much memory the node tries to stay under")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.config, "config", "", "a YAML file with any of these settings; flags and environment come first")
	flags.BoolVar(&f.stopWithStdin, "stop-with-stdin", false, "stop when the standard input ends")
	_ = flags.MarkHidden("stop-with-stdin") // fails only for a flag that does not exist
}

// check turns what was written into a nodeConfig, or says what is wrong with it.
func (f *nodeFlags) check(environ func(string) (string, bool)) (nodeConfig, error) {
	c := nodeConfig{
		Cluster: f.cluster, Dir: f.dir,
		ListenStore: f.listenStore, ListenHTTP: f.listenHTTP, ListenPeer: f.listenPeer, ListenQueue: f.listenQueue,
		Groups: f.groups, Replicas: f.replicas,
		TLSCert: f.tlsCert, TLSKey: f.tlsKey, TLSCA: f.tlsCA,
		IsJoin: f.isJoin, IsFirst: f.isFirst, IsInsecure: f.isInsecure, IsLab: f.isLab, StopWithStdin: f.stopWithStdin, ShowLeaders: f.showLeaders,
	}
	c.LabToken, _ = environ(labTokenEnv)
	c.LabFaults, _ = environ(labFaultsEnv)
	c.LabFleet, _ = environ(labFleetEnv)
	if f.id == "" || f.cluster == "" {
		return c, errors.New("--id and --cluster are needed, such as --id n1 --cluster prod (`flotilla up` starts whole fleets)")
	}
	var err error
	if c.ID, err = parseNode(f.id); err != nil {
		return c, fmt.Errorf("--id: %w", err)
	}
	if err := f.checkMembers(&c); err != nil {
		return c, err
	}
	if c.Groups == 0 {
		c.Groups = cluster.DefaultGroups(len(c.Members))
	}
	if c.Groups < 0 || c.Groups > cluster.MaxGroups || c.Replicas < 1 {
		return c, fmt.Errorf("--groups=%d, --replicas=%d: there are 1 to %d groups and at least one copy", c.Groups, c.Replicas, cluster.MaxGroups)
	}
	if c.IsLab && c.LabToken == "" {
		return c, fmt.Errorf("--lab needs a token in $%s: without one, anybody could break this node", labTokenEnv)
	}
	if c.MemoryBytes, err = parseSize(f.memory); err != nil {
		return c, fmt.Errorf("--memory: %w", err)
	}
	if c.MemoryBytes < minMemory {
		return c, fmt.Errorf("--memory=%s: a node needs at least %d MiB", f.memory, minMemory>>20)
	}
	if err := c.LogLevel.UnmarshalText([]byte(f.logLevel)); err != nil {
		return c, fmt.Errorf("--log-level=%s: use debug, info, warn or error", f.logLevel)
	}
	if c.Password, err = readPassword(f.passwordFile); err != nil {
		return c, err
	}
	if c.QueueKeys, err = readQueueKeys(f.queueKeysFile, c.Password); err != nil {
		return c, err
	}
	if c.QueueURL, err = checkQueueURL(f.queueURL); err != nil {
		return c, err
	}
	return c, c.checkSecurity()
}

// checkMembers reads the members and puts in what this node advertises.
func (f *nodeFlags) checkMembers(c *nodeConfig) error {
	own, err := f.ownPorts()
	if err != nil {
		return err
	}
	text := f.members
	if text == "" {
		text = fmt.Sprintf("%v=%s", c.ID, f.listenPeer) // a cluster of one
	}
	if c.Members, err = parseMembers(text, own); err != nil {
		return fmt.Errorf("--members: %w", err)
	}
	for i := range c.Members {
		m := &c.Members[i]
		if m.ID != c.ID {
			continue
		}
		if f.advertiseHost != "" {
			m.Host = f.advertiseHost
		}
		if f.advertiseStore != 0 {
			m.StorePort = f.advertiseStore
		}
		if f.advertiseHTTP != 0 {
			m.HTTPPort = f.advertiseHTTP
		}
		if f.advertiseQueue != 0 {
			m.QueuePort = f.advertiseQueue
		}
		return nil
	}
	return fmt.Errorf("--members does not name this node, %v: give every node the same list", c.ID)
}

// ownPorts returns the ports of this node that clients are told: those that it listens
// on, or is to advertise.
func (f *nodeFlags) ownPorts() (own memberPorts, err error) {
	for _, listen := range []struct {
		flag, address, example string
		port                   *int
		advertised             int
	}{
		{"--listen-store", f.listenStore, "127.0.0.1:6379", &own.store, f.advertiseStore},
		{"--listen-http", f.listenHTTP, "127.0.0.1:8080", &own.http, f.advertiseHTTP},
		{"--listen-peer", f.listenPeer, "127.0.0.1:7001", new(int), 0},
		{"--listen-queue", f.listenQueue, "127.0.0.1:9324", &own.queue, f.advertiseQueue},
	} {
		if _, *listen.port, err = splitAddress(listen.address); err != nil {
			return own, fmt.Errorf("%s=%s: %w: write it as %s", listen.flag, listen.address, err, listen.example)
		}
		if listen.advertised != 0 {
			*listen.port = listen.advertised
		}
	}
	return own, nil
}

// checkSecurity refuses to be open to a network by oversight.
func (c nodeConfig) checkSecurity() error {
	given := 0
	for _, file := range []string{c.TLSCert, c.TLSKey, c.TLSCA} {
		if file != "" {
			given++
		}
	}
	if given != 0 && given != 3 {
		return errors.New("--tls-cert, --tls-key and --tls-ca belong together: `flotilla certs` makes all three")
	}
	if c.IsInsecure || given == 3 && c.Password != "" {
		return nil
	}
	for _, listen := range []struct{ flag, address string }{
		{"--listen-store", c.ListenStore}, {"--listen-http", c.ListenHTTP}, {"--listen-peer", c.ListenPeer},
		{"--listen-queue", c.ListenQueue},
	} {
		host, _, err := splitAddress(listen.address)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", listen.flag, listen.address, err)
		}
		if !isLoopback(host) {
			return fmt.Errorf("%s=%s is beyond this machine: that needs --tls-cert, --tls-key, --tls-ca and --password-file "+
				"(`flotilla certs` makes the first three), or --insecure if everybody who can reach it may read and change all data",
				listen.flag, listen.address)
		}
	}
	return nil
}

// checkQueueURL returns the address as clients sign for it: in small letters, without a
// slash at its end, and without the port that its scheme has anyhow. It has no path: that
// of a queue's address is the account and the queue's name, and is signed, too.
func checkQueueURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" ||
		address.Path != "" && address.Path != "/" || address.RawQuery != "" || address.Fragment != "" || address.User != nil {
		return "", fmt.Errorf("--queue-url=%s: write it as https://queue.example.com, with a port if need be and without a path", text)
	}
	host := strings.ToLower(address.Host)
	if port := address.Port(); port == "" || address.Scheme == "http" && port == "80" || address.Scheme == "https" && port == "443" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return address.Scheme + "://" + host, nil
}

// readPassword reads the first line of a file; no file means no password.
func readPassword(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	password, _, _ := strings.Cut(string(raw), "\n")
	password = strings.TrimSuffix(password, "\r")
	if password == "" || len(password) > maxPasswordBytes {
		return "", fmt.Errorf("--password-file=%s: its first line is to be the password, of 1 to %d bytes", file, maxPasswordBytes)
	}
	return password, nil
}
