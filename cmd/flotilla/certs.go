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
	cmd := &cobra.Command{
		Use:   "certs --cluster NAME",
		Short: "Make certificates for TLS between nodes and to clients",
		Long: `Makes an authority (once) and a certificate for each node, signed by it. Give each
node its own two files and ca.crt; keep ca.key to yourself. Files that exist are
never overwritten.`,
		Example: `  flotilla certs --cluster prod --nodes 3 --out certs
  flotilla node --tls-cert certs/n1.crt --tls-key certs/n1.key --tls-ca certs/ca.crt ...`,
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
			if err := transport.GenerateCertificates(dir, cluster, ids, time.Now(), lifetime); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "made certificates for %d nodes in %s, valid for %d days\n", nodes, dir, days)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "out", "./certs", "the folder to write to")
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster's name, which is part of the certificates")
	cmd.Flags().IntVar(&nodes, "nodes", 3, "how many nodes to make certificates for")
	cmd.Flags().IntVar(&days, "days", 365, "how long they are valid")
	return cmd
}
