package main

import (
	"errors"
	"fmt"
	"os"
)

func main() { os.Exit(run(&app{out: os.Stdout, err: os.Stderr, runNode: runNode}, os.Args[1:])) }

// run carries out a command line and returns the exit code.
func run(a *app, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var silent silentError
	if !errors.As(err, &silent) {
		fmt.Fprintf(a.err, "flotilla: %v\n", err)
	}
	if errors.As(err, new(usageError)) {
		return 2
	}
	if errors.Is(err, errSlow) {
		return 3
	}
	return 1
}
