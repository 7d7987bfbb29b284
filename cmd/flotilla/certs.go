package main

import (
	"fmt"
	"time"

	"flotilla"
	"flotilla/transport"

	"github.com/spf13/cobra"
)

func newCerts(a *app) *cobra.Command {
	var dir, cluster string
	var nodes, days int
	var hosts []string
	cmd := &cobra.Command{
		Use:   "certs --cluster NAME",
		Short: "Make certificates for TLS between nodes and to clients",
		Long: `Makes an authority (once) and a certificate for each node, signed by it. Give each
node its own two files and ca.crt; keep ca.key to yourself. Files that exist are
never overwritten.

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
			lifetime := time.Duration(days) * 24 * time.Hour
			if err := transport.GenerateCertificates(dir, cluster, ids, hosts, time.Now(), lifetime); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "made certificates for %s in %s, valid for %s\n", counted(nodes, "node"), dir, counted(days, "day"))
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "out", "./certs", "the folder to write to")
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster's name, which is part of the certificates")
	cmd.Flags().IntVar(&nodes, "nodes", 3, "how many nodes to make certificates for")
	cmd.Flags().StringSliceVar(&hosts, "hosts", []string{"localhost", "127.0.0.1", "::1"}, "names and addresses by which clients reach the nodes, instead of this machine's")
	cmd.Flags().IntVar(&days, "days", 365, "how long they are valid")
	return cmd
}
