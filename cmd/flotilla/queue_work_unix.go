//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// terminateGroup asks a command, and what it started, to end.
func terminateGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// killGroup ends what a command has started and left behind.
func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // most often there is nothing
}
