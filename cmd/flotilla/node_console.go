package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"

	"flotilla/console"
	"flotilla/console/clustertab"
	"flotilla/console/door"
	"flotilla/console/queuetab"
	"flotilla/console/storetab"
	"flotilla/supervisor"
)

// microsNow is the journal's clock: the machine's, also where a lab has the node's be wrong.
func microsNow() int64 { return time.Now().UnixMicro() }

// consoleOptions is what the node's web page needs.
func (n *node) consoleOptions(pipe *door.Pipe, hour *clustertab.Keeper, queues *queuetab.Keeper) console.Options {
	listen, port, _ := splitAddress(n.config.ListenHTTP) // it was read before
	peers := &console.Peers{Client: &http.Client{Transport: &http.Transport{IdleConnTimeout: 30 * time.Second}},
		IsTLS: n.config.TLSCert != "", Password: n.config.Password, Port: port}
	options := console.Options{Status: n.server.Status, Hashes: n.server.StatusWithHashes, Transport: n.transport.Stats, Store: n.door.Stats,
		Host: n.server, Pipe: pipe, Journal: n.journal, Micros: microsNow, Life: n.incarnation,
		Peers: peers, Queues: n.queueClient.Summaries, QueueREST: n.queueREST.Stats, QueueSQS: n.queue.Stats,
		Hosts: n.config.hosts(), IsOfNetwork: !isLoopback(listen), Password: n.config.Password, Log: n.log}
	if peers.IsTLS {
		over, err := trustOnly(n.config.TLSCA)
		if err != nil {
			n.log.Error("the page will show this node only", "err", err)
		}
		peers.Client.Transport = over
	}
	isClosed := len(n.config.QueueKeys) > 0 && n.config.Password == "" // who has no key must not get in by the page
	if !isClosed {
		options.QueueClient = n.queueClient
	}
	options.Tabs = []console.Tab{
		storetab.New(storetab.Options{Host: n.server, Pipe: pipe, Password: n.config.Password, Ask: peers.Ask}),
		queuetab.New(queuetab.Options{Host: n.server, Client: n.queueClient, REST: n.queueREST, Keeper: queues, IsClosed: isClosed, Ask: peers.Ask}),
		clustertab.New(clustertab.Options{Host: n.server, Keeper: hour, Status: n.server.Status, Settings: n.config.shownSettings(), Ask: peers.Ask}),
	}
	if n.config.IsLab {
		options.Lab = n.labDoor()
		options.Wrong = n.faults
	}
	if n.config.IsLab && n.config.LabFleet != "" {
		fleet, err := supervisor.Dial(n.config.LabFleet)
		if err != nil {
			n.log.Warn("the page will offer no faults", "err", err)
		} else {
			options.Fleet, options.Plans = fleet, playablePlans()
		}
	}
	return options
}

// trustOnly returns what asks only servers that the cluster's authority vouches for.
func trustOnly(file string) (*http.Transport, error) {
	roots := x509.NewCertPool()
	to := &http.Transport{IdleConnTimeout: 30 * time.Second, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	raw, err := os.ReadFile(file)
	if err == nil && !roots.AppendCertsFromPEM(raw) {
		err = fmt.Errorf("%s holds no certificate", file)
	}
	return to, err
}
