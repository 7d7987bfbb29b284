package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"flotilla"
	"flotilla/supervisor"
	"flotilla/transport"

	"github.com/spf13/cobra"
)

func newCerts(a *app) *cobra.Command {
	var dir, cluster, passwordFile string
	var nodes, days int
	var isKeeping bool
	var hosts []string
	cmd := &cobra.Command{
		Use:   "certs --cluster NAME",
		Short: "Make certificates for TLS between nodes and to clients",
		Long: `Makes an authority (once) and a certificate for each node, signed by it. Give each
node its own two files and ca.crt; keep ca.key to yourself. Files that exist are
never overwritten: they are an error, or, with --keep, left as they are.

Clients check that the certificate names the host that they connect to: list with
--hosts all names and addresses by which they reach any of the nodes.`,
		Example: `  flotilla certs --cluster prod --nodes 3 --out certs --hosts 10.0.0.1,10.0.0.2,store.example.org
  flotilla node --tls-cert certs/n1.crt --tls-key certs/n1.key --tls-ca certs/ca.crt ...
  redis-cli --tls --cacert certs/ca.crt -h store.example.org`,
		Args: usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if cluster == "" {
				return usageError{fmt.Errorf("--cluster is missing: use the name that the nodes get with their --cluster")}
			}
			if nodes < 1 || nodes > 1000 || days < 1 {
				return usageError{fmt.Errorf("--nodes and --days are at least 1, and --nodes at most 1000")}
			}
			ids := make([]flotilla.NodeID, nodes)
			for i := range ids {
				ids[i] = flotilla.NodeID(i + 1)
			}
			if isKeeping {
				ids = slices.DeleteFunc(ids, func(id flotilla.NodeID) bool { return hasCertificate(dir, id) })
			}
			if passwordFile != "" {
				if err := makePassword(passwordFile, isKeeping); err != nil {
					return err
				}
			}
			if len(ids) == 0 {
				_, err := fmt.Fprintf(a.out, "%s has certificates for %s already\n", dir, counted(nodes, "node"))
				return err
			}
			lifetime := time.Duration(days) * 24 * time.Hour
			if err := transport.GenerateCertificates(dir, cluster, ids, hosts, time.Now(), lifetime); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "made certificates for %s in %s, valid for %s\n", counted(len(ids), "node"), dir, counted(days, "day"))
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "out", "./certs", "the folder to write to")
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster's name, which is part of the certificates")
	cmd.Flags().IntVar(&nodes, "nodes", 3, "how many nodes to make certificates for")
	cmd.Flags().StringSliceVar(&hosts, "hosts", []string{"localhost", "127.0.0.1", "::1"}, "names and addresses by which clients reach the nodes, instead of this machine's")
	cmd.Flags().IntVar(&days, "days", 365, "how long they are valid")
	cmd.Flags().BoolVar(&isKeeping, "keep", false, "leave what is there already, and make what is missing")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "make a random password, too, in this file")
	return cmd
}

// hasCertificate reports whether a node's two files are there.
func hasCertificate(dir string, id flotilla.NodeID) bool {
	_, certErr := os.Stat(filepath.Join(dir, id.String()+".crt"))
	_, keyErr := os.Stat(filepath.Join(dir, id.String()+".key"))
	return certErr == nil && keyErr == nil
}

// makePassword writes a password that nobody can guess: 26 letters and digits.
func makePassword(path string, isKeeping bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder for the password: %w", err)
	}
	_, err := os.Stat(path)
	switch {
	case err == nil && isKeeping:
		return nil
	case err == nil:
		return fmt.Errorf("%s is there already: remove it, or use --keep", path)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look for the password: %w", err)
	}
	return supervisor.WriteFile(path, []byte(rand.Text()+"\n"), 0o600)
}
