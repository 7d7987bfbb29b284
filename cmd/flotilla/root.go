package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

const rootLong = `Flotilla runs a replicated, partitioned store that any Redis client can use, and a work
queue that any SQS client can, as a real cluster: three node processes on this machine, or
one node on each of several.

  flotilla up                     start three nodes here
  redis-cli -p 6379 SET a 1       use any of them
  flotilla queue create jobs      and of their work queue
  flotilla status                 see nodes, groups and leaders
  flotilla fault kill n2          break something, and watch the others go on`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "flotilla",
		Short:         "A replicated store and work queue that you can watch and break",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see `%s --help`", inPlainWords(err), cmd.CommandPath())}
	})
	root.AddCommand(
		newUp(a), newNode(a), newStatus(a), newQueue(a), newFault(a), newLab(a), newBench(a), newSim(a), newCerts(a), newHealth(a), newVersion(a),
	)
	return root
}

// inPlainWords says what a flag wants, and not which function of Go did not understand what it got.
func inPlainWords(err error) error {
	wants := map[string]string{
		"bool": "true or false", "int": "a whole number", "uint64": "a whole number from 0 on", "float64": "a number",
		"duration": "a time, such as 500ms, 30s or 5m",
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if want := wants[invalid.GetFlag().Value.Type()]; want != "" {
			return fmt.Errorf("--%s %q: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
		}
	}
	return err
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
