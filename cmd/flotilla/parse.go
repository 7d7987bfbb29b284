package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"flotilla"
)

// parseSize reads 512MiB, 1GB, 2g or a number of bytes.
func parseSize(text string) (int64, error) {
	wrong := fmt.Errorf("%q is no size: write it as 512MiB or 2GiB", text)
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(number >= 0) {
		return 0, wrong
	}
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	factor := int64(1)
	switch unit {
	case "", "b":
	case "k", "kib":
		factor = 1 << 10
	case "m", "mib":
		factor = 1 << 20
	case "g", "gib":
		factor = 1 << 30
	case "kb":
		factor = 1e3
	case "mb":
		factor = 1e6
	case "gb":
		factor = 1e9
	default:
		return 0, wrong
	}
	bytes := number * float64(factor)
	if bytes >= math.MaxInt64 {
		return 0, wrong
	}
	return int64(bytes), nil
}

// memberPorts are the ports of a node that clients are told.
type memberPorts struct{ store, http, queue int }

// parseMembers reads "n1=host:7001,n2=host:7001/6380/8081/9325,n3=host:7001/other:6381/8082":
// name, node-to-node address, and where clients find the store, HTTP and the queue, if that is
// not at the same ports as on this node, or not under the same host. The queue's port may be
// left out.
func parseMembers(text string, usual memberPorts) ([]flotilla.NodeInfo, error) {
	var members []flotilla.NodeInfo
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		member, err := parseMember(part, usual)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w: write it as n1=host:7001", part, err)
		}
		for _, other := range members {
			if other.ID == member.ID || other.PeerAddr == member.PeerAddr {
				return nil, fmt.Errorf("members %v and %v: each needs a name and an address of its own", other.ID, member.ID)
			}
		}
		members = append(members, member)
	}
	slices.SortFunc(members, func(a, b flotilla.NodeInfo) int { return int(a.ID) - int(b.ID) })
	return members, nil
}

func parseMember(text string, usual memberPorts) (flotilla.NodeInfo, error) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok {
		return flotilla.NodeInfo{}, errors.New("no =")
	}
	id, err := parseNode(name)
	if err != nil {
		return flotilla.NodeInfo{}, err
	}
	fields := strings.Split(rest, "/")
	host, _, err := splitAddress(fields[0])
	if err != nil {
		return flotilla.NodeInfo{}, err
	}
	if host == "" {
		return flotilla.NodeInfo{}, errors.New("no host")
	}
	info := flotilla.NodeInfo{ID: id, Host: host, PeerAddr: fields[0], StorePort: usual.store, HTTPPort: usual.http, QueuePort: usual.queue}
	if len(fields) == 1 {
		return info, nil
	}
	if len(fields) != 3 && len(fields) != 4 {
		return flotilla.NodeInfo{}, errors.New("what clients are told is /store/http or /store/http/queue after the address, such as /6379/8080 or /example.org:6379/8080")
	}
	if info.Host, info.StorePort, err = parseTold(fields[1], host); err != nil {
		return flotilla.NodeInfo{}, err
	}
	for i, port := range []*int{&info.HTTPPort, &info.QueuePort}[:len(fields)-2] {
		if *port, err = parsePort(fields[i+2]); err != nil {
			return flotilla.NodeInfo{}, err
		}
	}
	return info, nil
}

// parseTold reads what clients are told of the store: host and port, or the port alone if
// the host is the one that other nodes use.
func parseTold(text, peerHost string) (host string, port int, err error) {
	if !strings.Contains(text, ":") {
		port, err = parsePort(text)
		return peerHost, port, err
	}
	host, port, err = splitAddress(text)
	if err == nil && host == "" {
		err = errors.New("no host for clients")
	}
	return host, port, err
}

// formatMember writes what parseMember reads, all of it.
func formatMember(m flotilla.NodeInfo) string {
	told := strconv.Itoa(m.StorePort)
	if host, _, err := splitAddress(m.PeerAddr); err != nil || host != m.Host {
		told = net.JoinHostPort(m.Host, told)
	}
	return fmt.Sprintf("%v=%s/%s/%d/%d", m.ID, m.PeerAddr, told, m.HTTPPort, m.QueuePort)
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = parsePort(text)
	return host, port, err
}

func parsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%q is no port", text)
	}
	return port, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
