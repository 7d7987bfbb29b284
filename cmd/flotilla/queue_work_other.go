//go:build !unix

package main

import "os/exec"

// inOwnGroup does nothing where there are no process groups.
func inOwnGroup(*exec.Cmd) {}

// terminateGroup ends a command.
func terminateGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// killGroup does nothing where there are no process groups.
func killGroup(*exec.Cmd) {}
