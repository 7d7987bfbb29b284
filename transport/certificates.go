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
	"os"
	"path/filepath"
	"time"

	"flotilla"
)

// GenerateCertificates writes into a folder what TLS between nodes needs:
//
//	ca.crt ca.key      the authority; made if it is not there yet. Keep the key off the nodes
//	n1.crt n1.key …    one certificate for each node, signed by it
//
// A node's file that exists is an error, never overwritten. The certificates
// name n1 and n1.<cluster>; they and the authority are valid from an hour before
// now, for lifetime.
func GenerateCertificates(dir, cluster string, nodes []flotilla.NodeID, now time.Time, lifetime time.Duration) error {
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
			DNSNames:    []string{node.String(), node.String() + "." + cluster},
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
