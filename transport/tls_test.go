package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flotilla"
)

func certificates(t *testing.T, cluster string, nodes ...flotilla.NodeID) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	if err := GenerateCertificates(dir, cluster, nodes, nil, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	return dir
}

func tlsOptions(id flotilla.NodeID, dir string) Options {
	o := basicOptions(id)
	name := filepath.Join(dir, id.String())
	o.TLS = &TLS{CertFile: name + ".crt", KeyFile: name + ".key", CAFile: filepath.Join(dir, "ca.crt")}
	return o
}

func TestTLSConnects(t *testing.T) {
	dir := certificates(t, "test", 1, 2)
	a, b := pair(t, tlsOptions(1, dir), tlsOptions(2, dir))
	a.Send(2, []byte("secret"))
	b.Send(1, []byte("too"))
	eventually(t, "both frames", func() bool { return len(a.from(2)) == 1 && len(b.from(1)) == 1 })
	public := tlsOptions(3, certificates(t, "test", 3))
	public.Listen = "0.0.0.0:0"
	n, err := New(public)
	if err != nil {
		t.Fatal("certificates are enough for a public address: ", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestTLSRefusals(t *testing.T) {
	ours, theirs := certificates(t, "test", 1, 2, 3), certificates(t, "test", 1)
	foreign := tlsOptions(1, theirs)
	expired := filepath.Join(t.TempDir(), "expired")
	if err := GenerateCertificates(expired, "test", []flotilla.NodeID{1}, nil, time.Now().Add(-2*time.Hour), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		x    Options
		want string
	}{
		{"another authority", foreign, "unknown authority"},
		{"no certificate", basicOptions(1), ""},
		{"expired", tlsOptions(1, expired), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, y := startNode(t, c.x, newRecorder()), startNode(t, tlsOptions(2, ours), newRecorder())
			meet(x, y)
			eventually(t, "a refusal", func() bool {
				p := x.statsOf(2).Problem
				return p != "" && strings.Contains(p, c.want)
			})
			eventually(t, "a refusal the other way", func() bool { return y.statsOf(1).Problem != "" })
			if x.statsOf(2).Connections+y.statsOf(1).Connections != 0 {
				t.Error("they connected")
			}
		})
	}
}

// A node can not pass for another one: its name is in its certificate.
func TestTLSNames(t *testing.T) {
	dir := certificates(t, "test", 1, 2, 3)
	// New would refuse it, so take its greeting after the check.
	x := startNode(t, tlsOptions(3, dir), newRecorder())
	y := startNode(t, tlsOptions(2, dir), newRecorder())
	x.options.Self = 1
	y.SetPeers(map[flotilla.NodeID]string{1: x.Addr(), 3: x.Addr()})
	x.SetPeers(map[flotilla.NodeID]string{2: y.Addr()})
	eventually(t, "the server refuses", func() bool {
		return strings.Contains(x.statsOf(2).Problem, "the certificate is for [n3 n3.test], not for n1")
	})
	eventually(t, "the client refuses", func() bool {
		return strings.Contains(y.statsOf(1).Problem, "the certificate is for [n3 n3.test], not for n1")
	})
	wrong := tlsOptions(1, dir)
	wrong.TLS.CertFile, wrong.TLS.KeyFile = filepath.Join(dir, "n2.crt"), filepath.Join(dir, "n2.key")
	if _, err := New(wrong); err == nil || !strings.Contains(err.Error(), "peers would refuse it") {
		t.Error(err)
	}
}

func TestCertificatesAreNeverOverwritten(t *testing.T) {
	dir := certificates(t, "test", 1)
	if err := GenerateCertificates(dir, "test", []flotilla.NodeID{1}, nil, time.Now(), time.Hour); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := GenerateCertificates(dir, "test", []flotilla.NodeID{2}, nil, time.Now(), time.Hour); err != nil {
		t.Fatal("a node that joins later: ", err)
	}
	pair(t, tlsOptions(1, dir), tlsOptions(2, dir))
}

func TestClientsThatCheckHostNamesAcceptCertificates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	hosts := []string{"localhost", "127.0.0.1", "::1", "store.example.org"}
	if err := GenerateCertificates(dir, "test", []flotilla.NodeID{1}, hosts, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "n1.crt"), filepath.Join(dir, "n1.key"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake() // the client tells of what goes wrong
			_ = c.Close()
		}
	}()
	authority, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	dial := func(name string) error {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			return err
		}
		return c.Close()
	}
	for _, name := range append(hosts, "", "n1", "n1.test") { // "" is what was dialed: 127.0.0.1
		if err := dial(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := dial("elsewhere.example.org"); err == nil {
		t.Error("the certificate is good for any name")
	}
}

func TestCertificatesRefuseHosts(t *testing.T) {
	for _, host := range []string{"", "a b", "host:6379", "https://host", "n1", "N2.Test", "*", "*.test", "n3"} {
		dir := filepath.Join(t.TempDir(), "certs")
		if err := GenerateCertificates(dir, "test", []flotilla.NodeID{1}, []string{host}, time.Now(), time.Hour); err == nil {
			t.Errorf("%q was taken", host)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: files were written: %v", host, err)
		}
	}
	if _, _, err := splitHosts("test", []string{"n1.example.org", "*.example.org", "fe80::1"}); err != nil {
		t.Error(err)
	}
}
