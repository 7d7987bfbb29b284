package intake

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// IsFromPage reports whether a web page of another site sent a request: a browser would
// send what its user knows, or is.
func IsFromPage(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "none" && site != "same-origin" || r.Header.Get("Origin") != ""
}

// Strangers says who may come in where no credentials are configured: whoever is on
// this machine, but nobody who comes through a proxy that is not trusted.
type Strangers struct {
	Hosts          []string // names of this machine, besides addresses, names without a dot and localhost
	TrustForwarded bool     // a proxy that is ours says for whom it asks
}

// Refuse returns why a request that was sent to host may not come in, as the end of a
// sentence; empty if it may.
func (s Strangers) Refuse(r *http.Request, host string) (why string) {
	switch {
	case !isLoopback(r.RemoteAddr):
		return "requests are taken from this machine only"
	case !s.TrustForwarded && (r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""):
		return "the request came through a proxy"
	case !s.isOurName(host):
		return "the host name is none of this machine's: see --advertise-host"
	}
	return ""
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// isOurName reports whether a name can not be one that somebody out there made
// point at this machine (DNS rebinding): an address, a name without a dot, one
// below localhost, or one that was configured.
func (s Strangers) isOurName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(strings.Trim(strings.TrimSuffix(name, "."), "[]"))
	return net.ParseIP(name) != nil || !strings.Contains(name, ".") || strings.HasSuffix(name, ".localhost") ||
		slices.ContainsFunc(s.Hosts, func(ours string) bool { return strings.EqualFold(ours, name) })
}
