//go:build unix && !linux

package main

import (
	"os/exec"
	"syscall"
)

// inOwnGroup has a command be the first of its own process group, so that Ctrl-C in a
// terminal does not reach it.
func inOwnGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
