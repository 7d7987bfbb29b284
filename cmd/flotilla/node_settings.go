package main

import (
	"fmt"
	"strings"

	"flotilla/console/clustertab"
)

// shownSettings are what the node runs with, by the names of its flags, for people to see. What is
// not named here is not shown. Of secrets it says only whether they are set.
func (c nodeConfig) shownSettings() []clustertab.Setting {
	self := c.self()
	members := make([]string, 0, len(c.Members))
	for _, m := range c.Members {
		members = append(members, formatMember(m))
	}
	own := func(name string, value any) clustertab.Setting {
		return clustertab.Setting{Name: name, Value: fmt.Sprint(value), IsOwn: true}
	}
	common := func(name string, value any) clustertab.Setting {
		return clustertab.Setting{Name: name, Value: fmt.Sprint(value)}
	}
	return []clustertab.Setting{
		own("id", c.ID), common("cluster", c.Cluster), own("dir", c.Dir), common("members", strings.Join(members, ", ")),
		own("listen-store", c.ListenStore), own("listen-http", c.ListenHTTP), own("listen-peer", c.ListenPeer), own("listen-queue", c.ListenQueue),
		own("advertise-host", self.Host), own("advertise-store-port", self.StorePort),
		own("advertise-http-port", self.HTTPPort), own("advertise-queue-port", self.QueuePort),
		common("groups", c.Groups), common("replicas", c.Replicas), common("join", c.IsJoin), common("show-leaders", c.ShowLeaders),
		common("password-file", isSet(c.Password != "")), common("queue-keys-file", isSet(len(c.QueueKeys) > 0)), common("queue-url", c.QueueURL),
		own("tls-cert", c.TLSCert), own("tls-key", isSet(c.TLSKey != "")), own("tls-ca", c.TLSCA),
		common("insecure", c.IsInsecure), common("lab", c.IsLab), common("$"+labTokenEnv, isSet(c.LabToken != "")),
		common("memory", fmt.Sprintf("%.6g MiB", float64(c.MemoryBytes)/(1<<20))), common("log-level", strings.ToLower(c.LogLevel.String())),
	}
}

// isSet says of a secret what may be said.
func isSet(is bool) string {
	if is {
		return "set"
	}
	return "not set"
}
