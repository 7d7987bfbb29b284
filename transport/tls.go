package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"flotilla"

	grpcpeer "google.golang.org/grpc/peer"
)

// TLS names the files with this node's certificate and key, and with the
// authority that signed the certificates of all nodes (PEM). Each side of a
// connection shows its certificate; TLS 1.3 is required. The certificate of node 2
// of the cluster "prod" must name n2 or n2.prod among its DNS names.
type TLS struct {
	CertFile string `json:"cert_file"`
	KeyFile  string `json:"key_file"`
	CAFile   string `json:"ca_file"`
}

// security is what connections are made with. The zero value means plain text.
type security struct {
	cluster string
	server  *tls.Config
	client  func(to flotilla.NodeID) *tls.Config
}

func loadSecurity(files *TLS, cluster string, self flotilla.NodeID) (security, error) {
	if files == nil {
		return security{}, nil
	}
	certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return security{}, fmt.Errorf("load the node's certificate: %w: flotilla certs makes one", err)
	}
	authority, err := os.ReadFile(files.CAFile)
	if err != nil {
		return security{}, fmt.Errorf("load the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return security{}, fmt.Errorf("%s holds no certificate in PEM form", files.CAFile)
	}
	s := security{cluster: cluster}
	if err := s.checkCertificate(certificate.Leaf, self); err != nil {
		return security{}, fmt.Errorf("%s: %w: peers would refuse it", files.CertFile, err)
	}
	s.server = &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    roots,
		MinVersion:   tls.VersionTLS13,
	}
	s.client = func(to flotilla.NodeID) *tls.Config {
		return &tls.Config{
			Certificates: []tls.Certificate{certificate},
			MinVersion:   tls.VersionTLS13,
			ServerName:   to.String(),
			// The library would check for one name only, and a certificate may
			// have one of two: so chain and name are checked here, in full.
			InsecureSkipVerify: true,
			VerifyConnection: func(state tls.ConnectionState) error {
				return s.verifyServer(state, roots, to)
			},
		}
	}
	return s, nil
}

func (s security) verifyServer(state tls.ConnectionState, roots *x509.CertPool, to flotilla.NodeID) error {
	chain := state.PeerCertificates
	if len(chain) == 0 {
		return errors.New("the node shows no certificate")
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return err
	}
	return s.checkCertificate(chain[0], to)
}

func (s security) checkCertificate(certificate *x509.Certificate, node flotilla.NodeID) error {
	name := node.String()
	if certificate.VerifyHostname(name) == nil || certificate.VerifyHostname(name+"."+s.cluster) == nil {
		return nil
	}
	return fmt.Errorf("the certificate is for %v, not for %s or %s.%s", certificate.DNSNames, name, name, s.cluster)
}

// checkName refuses a node whose certificate is another node's.
func (s security) checkName(ctx context.Context, from flotilla.NodeID) error {
	if s.server == nil {
		return nil
	}
	caller, ok := grpcpeer.FromContext(ctx)
	if !ok {
		return errors.New("the caller is not known")
	}
	state, ok := certificateOf(caller.AuthInfo)
	if !ok || len(state.PeerCertificates) == 0 {
		return errors.New("the node shows no certificate")
	}
	return s.checkCertificate(state.PeerCertificates[0], from)
}
