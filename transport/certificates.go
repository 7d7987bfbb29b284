package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"flotilla"
)

// GenerateCertificates writes into a folder what TLS between nodes needs:
//
//	ca.crt ca.key      the authority; made if it is not there yet. Keep the key off the nodes
//	n1.crt n1.key …    one certificate for each node, signed by it
//
// A node's file that exists is an error, never overwritten. The certificates
// name n1 and n1.<cluster>, by which nodes know each other, and all of hosts, names
// or addresses, by which clients reach any of the nodes. They and the authority are
// valid from an hour before now, for lifetime.
func GenerateCertificates(dir, cluster string, nodes []flotilla.NodeID, hosts []string, now time.Time, lifetime time.Duration) error {
	names, addresses, err := splitHosts(cluster, hosts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for certificates: %w", err)
	}
	authority, err := loadAuthority(dir)
	if errors.Is(err, fs.ErrNotExist) {
		authority, err = makeAuthority(dir, cluster, now, lifetime)
	}
	if err != nil {
		return err
	}
	for _, node := range nodes {
		template := &x509.Certificate{
			Subject:     pkix.Name{CommonName: node.String(), Organization: []string{"flotilla " + cluster}},
			DNSNames:    append([]string{node.String(), node.String() + "." + cluster}, names...),
			IPAddresses: addresses,
			NotBefore:   now.Add(-time.Hour),
			NotAfter:    now.Add(lifetime),
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if _, err := writePair(dir, node.String(), template, authority); err != nil {
			return err
		}
	}
	return nil
}

// hostName matches a DNS name, perhaps with a star for its first part.
var hostName = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$`)

// nodeName matches what a node is called.
var nodeName = regexp.MustCompile(`^[nN][0-9]+$`)

// splitHosts tells names from addresses. All nodes' certificates get these, so none
// may be a name by which a node proves which one it is.
func splitHosts(cluster string, hosts []string) (names []string, addresses []net.IP, err error) {
	for _, host := range hosts {
		if address := net.ParseIP(host); address != nil {
			addresses = append(addresses, address)
			continue
		}
		if !hostName.MatchString(host) || len(host) > 253 {
			return nil, nil, fmt.Errorf("%q is no name or address of a host: write it as example.org or 10.0.0.1, without a port", host)
		}
		first, rest, _ := strings.Cut(host, ".")
		if (nodeName.MatchString(first) || first == "*") && (rest == "" || strings.EqualFold(rest, cluster)) {
			return nil, nil, fmt.Errorf("the host %s would let each node pass for another: a node's own name is in its certificate already", host)
		}
		names = append(names, host)
	}
	return names, addresses, nil
}

func loadAuthority(dir string) (*tls.Certificate, error) {
	authority, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, fmt.Errorf("load the authority of %s: %w", dir, err)
	}
	return &authority, nil
}

func makeAuthority(dir, cluster string, now time.Time, lifetime time.Duration) (*tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "flotilla " + cluster},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return writePair(dir, "ca", template, nil)
}

// writePair makes a key and a certificate for it, signed by the authority, or by
// itself if there is none.
func writePair(dir, name string, template *x509.Certificate, authority *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", name, err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	parent, signer := template, any(key)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", name, err)
	}
	if err := writePEM(filepath.Join(dir, name+".key"), "PRIVATE KEY", keyDER, 0o600); err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w: remove the old file, or choose another folder", path, err)
	}
	err = pem.Encode(file, &pem.Block{Type: kind, Bytes: der})
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
