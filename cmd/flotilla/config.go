package main

import (
	"errors"
	"fmt"
	"log/slog"
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
)

// maxPasswordBytes bounds a password file, to notice a wrong one.
const maxPasswordBytes = 1 << 10

// defaultMemory is what a node may use if nobody says.
const defaultMemory = "1GiB"

// nodeConfig is what a node was told, checked.
type nodeConfig struct {
	ID      flotilla.NodeID
	Cluster string
	Dir     string
	// Members are all nodes of the cluster at its first start, this one with what
	// it advertises.
	Members []flotilla.NodeInfo

	ListenStore, ListenHTTP, ListenPeer string

	Groups, Replicas int
	IsJoin           bool   // an empty folder means lost data, not a new cluster
	Password         string // empty: none
	TLSCert          string // files; all three or none
	TLSKey           string
	TLSCA            string
	IsInsecure       bool

	IsLab     bool
	LabToken  string // that /lab/faults asks for
	LabFaults string // a transport.Faults as JSON that holds from the start; may be empty

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

// nodeFlags are the flags of `flotilla node` as they were written.
type nodeFlags struct {
	id, cluster, dir, members           string
	listenStore, listenHTTP, listenPeer string
	advertiseHost                       string
	advertiseStore, advertiseHTTP       int
	groups, replicas                    int
	passwordFile                        string
	tlsCert, tlsKey, tlsCA              string
	isInsecure, isLab, stopWithStdin    bool
	isJoin                              bool
	memory, logLevel                    string
	config                              string
}

func (f *nodeFlags) add(flags *pflag.FlagSet) {
	flags.SortFlags = false
	flags.StringVar(&f.id, "id", "", "this node's name, such as n1")
	flags.StringVar(&f.cluster, "cluster", "", "the cluster's name; nodes of other clusters are not talked to")
	flags.StringVar(&f.dir, "dir", "./flotilla-node", "the folder for this node's data")
	flags.StringVar(&f.members, "members", "", `all nodes, the same list on each: "n1=host:7001,n2=host:7001,..."`)
	flags.StringVar(&f.listenStore, "listen-store", "127.0.0.1:6379", "where Redis clients connect")
	flags.StringVar(&f.listenHTTP, "listen-http", "127.0.0.1:8080", "where metrics, health and status are")
	flags.StringVar(&f.listenPeer, "listen-peer", "127.0.0.1:7001", "where other nodes connect")
	flags.StringVar(&f.advertiseHost, "advertise-host", "", "the host that clients are told (default: the one in --members)")
	flags.IntVar(&f.advertiseStore, "advertise-store-port", 0, "the store's port that clients are told (default: as listened on)")
	flags.IntVar(&f.advertiseHTTP, "advertise-http-port", 0, "the HTTP port that people are told (default: as listened on)")
	flags.IntVar(&f.groups, "groups", 0, "how many groups share the slots (default 1, with more than 3 nodes one for each); counts at the cluster's first start only")
	flags.IntVar(&f.replicas, "replicas", cluster.DefaultReplicas, "copies of each group; counts at the cluster's first start only")
	flags.BoolVar(&f.isJoin, "join", false, "the cluster exists already: if the data folder is empty, ask the others for new copies")
	flags.StringVar(&f.passwordFile, "password-file", "", "a file with the password that clients need")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "this node's certificate (PEM); \"flotilla certs\" makes one")
	flags.StringVar(&f.tlsKey, "tls-key", "", "its key")
	flags.StringVar(&f.tlsCA, "tls-ca", "", "the authority's certificate")
	flags.BoolVar(&f.isInsecure, "insecure", false, "INSECURE: listen beyond this machine without TLS or password; anyone there can read and change all data")
	flags.BoolVar(&f.isLab, "lab", false, "let the holder of $"+labTokenEnv+" break this node's links; never in production")
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
		ListenStore: f.listenStore, ListenHTTP: f.listenHTTP, ListenPeer: f.listenPeer,
		Groups: f.groups, Replicas: f.replicas,
		TLSCert: f.tlsCert, TLSKey: f.tlsKey, TLSCA: f.tlsCA,
		IsJoin: f.isJoin, IsInsecure: f.isInsecure, IsLab: f.isLab, StopWithStdin: f.stopWithStdin,
	}
	c.LabToken, _ = environ(labTokenEnv)
	c.LabFaults, _ = environ(labFaultsEnv)
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
	return c, c.checkSecurity()
}

// checkMembers reads the members and puts in what this node advertises.
func (f *nodeFlags) checkMembers(c *nodeConfig) error {
	_, storePort, err := splitAddress(f.listenStore)
	if err != nil {
		return fmt.Errorf("--listen-store=%s: %w: write it as 127.0.0.1:6379", f.listenStore, err)
	}
	_, httpPort, err := splitAddress(f.listenHTTP)
	if err != nil {
		return fmt.Errorf("--listen-http=%s: %w: write it as 127.0.0.1:8080", f.listenHTTP, err)
	}
	if _, _, err := splitAddress(f.listenPeer); err != nil {
		return fmt.Errorf("--listen-peer=%s: %w: write it as 127.0.0.1:7001", f.listenPeer, err)
	}
	if f.advertiseStore != 0 {
		storePort = f.advertiseStore
	}
	if f.advertiseHTTP != 0 {
		httpPort = f.advertiseHTTP
	}
	text := f.members
	if text == "" {
		text = fmt.Sprintf("%v=%s", c.ID, f.listenPeer) // a cluster of one
	}
	if c.Members, err = parseMembers(text, storePort, httpPort); err != nil {
		return fmt.Errorf("--members: %w", err)
	}
	for i := range c.Members {
		m := &c.Members[i]
		if m.ID != c.ID {
			continue
		}
		m.StorePort, m.HTTPPort = storePort, httpPort
		if f.advertiseHost != "" {
			m.Host = f.advertiseHost
		}
		return nil
	}
	return fmt.Errorf("--members does not name this node, %v: give every node the same list", c.ID)
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
