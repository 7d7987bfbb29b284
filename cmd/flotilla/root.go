package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// app is what the verbs share. Tests put something else into its fields.
type app struct {
	out, err io.Writer
	runNode  func(context.Context, nodeConfig) error
}

// usageError is a wrong command line.
type usageError struct{ error }

// Unwrap makes errors.Is see through.
func (u usageError) Unwrap() error { return u.error }

// silentError is a failure that was already told.
type silentError struct{ error }

// Unwrap has errors.Is find what it was.
func (e silentError) Unwrap() error { return e.error }

const rootLong = `Flotilla runs a replicated, partitioned store that any Redis client can use, as a
real cluster: three node processes on this machine, or one node on each of several.

  flotilla up                     start three nodes here
  redis-cli -p 6379 SET a 1       use any of them
  flotilla status                 see nodes, groups and leaders
  flotilla fault kill n2          break something, and watch the others go on`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "flotilla",
		Short:         "A replicated store that you can watch and break",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(
		newUp(a), newNode(a), newStatus(a), newQueue(a), newFault(a), newLab(a), newBench(a), newSim(a), newCerts(a), newHealth(a), newVersion(a),
	)
	return root
}

// usage makes a check of arguments fail as a wrong command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil || errors.As(err, new(usageError)) {
			return err
		}
		return usageError{fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())}
	}
}

// dirFlag adds --dir, which all verbs about a fleet on this machine have.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "./flotilla-data", "the fleet's folder")
	_ = cmd.MarkFlagDirname("dir") // fails only for a flag that does not exist
}
