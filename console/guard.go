package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// knownHosts refuses requests for names that are not the node's. Without it, a
// web page could point its own name at 127.0.0.1 and read what a node answers (DNS rebinding).
// An address is nobody's name to point: probes and scrapers ask by it.
//
// A node of a network (isOfNetwork) is also asked by names without a dot, such as a Service's in
// Kubernetes or a container's. A web page out there has no such name, as nobody can register
// one: only who runs the network that the browser is in can give it out, and point it. That is
// one more whom such a node trusts, unless it has TLS and a password. A node that listens on
// its own machine only is asked by nobody that way, and trusts no network.
func knownHosts(hosts []string, isOfNetwork bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		isAddress := net.ParseIP(host) != nil
		isPlain := isOfNetwork && host != "" && !strings.Contains(host, ".")
		if !isAddress && !isPlain && !isLoopback(host) && !contains(hosts, host) {
			http.Error(w, "this node is not known by that name: see --advertise-host", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackOnly lets in who asks from this machine for this machine. A proxy on
// this machine that passes on strangers also passes on their Host.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(hostOf(r.RemoteAddr)) || !isLoopback(hostOf(r.Host)) {
			http.Error(w, "only from the node's own machine", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// askPassword asks for the password, if there is one. Hashes are compared, so
// that the time tells nothing of the length either.
func askPassword(password string, next http.Handler) http.Handler {
	if password == "" {
		return next
	}
	want := sha256.Sum256([]byte(password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="flotilla"`)
			http.Error(w, "the node's password is asked for", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withHeaders adds what every answer carries.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// hostOf returns the host of host:port, or of host alone, without brackets.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func contains(hosts []string, host string) bool {
	for _, h := range hosts {
		if h != "" && strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}
