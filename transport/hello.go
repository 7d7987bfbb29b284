package transport

import (
	"fmt"
	"strconv"

	"flotilla"
)

// protocolVersion changes when nodes that speak the old way could not
// understand the new one.
const protocolVersion = 3

// hello is what a node says first, on every stream: in the metadata of the call,
// so that a stranger is turned away before any frame was read.
type hello struct {
	version     uint64
	cluster     string
	from, to    flotilla.NodeID
	incarnation uint64 // of from; grows with each start of the node
}

// The keys of the metadata. gRPC wants them in lower case.
const (
	keyVersion     = "flotilla-version"
	keyCluster     = "flotilla-cluster"
	keyFrom        = "flotilla-from"
	keyTo          = "flotilla-to"
	keyIncarnation = "flotilla-incarnation"
)

// fields returns keys and values in turn, as metadata.Pairs takes them.
func (h hello) fields() []string {
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return []string{
		keyVersion, number(h.version),
		keyCluster, h.cluster,
		keyFrom, number(uint64(h.from)),
		keyTo, number(uint64(h.to)),
		keyIncarnation, number(h.incarnation),
	}
}

// parseHello reads what fields wrote; fields holds the values of each key.
func parseHello(fields map[string][]string) (hello, error) {
	var h hello
	var from, to uint64
	for _, number := range []struct {
		key  string
		into *uint64
	}{{keyVersion, &h.version}, {keyFrom, &from}, {keyTo, &to}, {keyIncarnation, &h.incarnation}} {
		n, err := parseField(fields, number.key)
		if err != nil {
			return hello{}, err
		}
		*number.into = n
	}
	if len(fields[keyCluster]) != 1 {
		return hello{}, fmt.Errorf("the greeting has no %s", keyCluster)
	}
	h.cluster = fields[keyCluster][0]
	h.from, h.to = flotilla.NodeID(from), flotilla.NodeID(to)
	return h, nil
}

func parseField(fields map[string][]string, key string) (uint64, error) {
	values := fields[key]
	if len(values) != 1 {
		return 0, fmt.Errorf("the greeting has no %s", key)
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the greeting's %s is no number", key)
	}
	return n, nil
}

// check says why the node that said h may not talk to this one; nil if it may.
// What depends on earlier greetings is checked by peer.accept.
func (h hello) check(cluster string, self flotilla.NodeID) error {
	switch {
	case h.version != protocolVersion:
		return fmt.Errorf("%v speaks version %d of the node protocol, %v speaks %d: run the same release on both",
			h.from, h.version, self, protocolVersion)
	case h.cluster != cluster:
		return fmt.Errorf("%v is of cluster %.64q, %v of %q: one of them was given the other's address or data folder",
			h.from, h.cluster, self, cluster)
	case h.to != self:
		return fmt.Errorf("%v looks for %v at this address, but here is %v: correct its list of peers", h.from, h.to, self)
	case h.from == self:
		return fmt.Errorf("another node says that it is %v too: give each node its own number", self)
	}
	return nil
}
