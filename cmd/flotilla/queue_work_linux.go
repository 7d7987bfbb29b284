package main

import (
	"os/exec"
	"syscall"
)

// inOwnGroup has a command be the first of its own process group, so that Ctrl-C in a
// terminal does not reach it, and has it die with this program: by then its job is
// about to be somebody else's.
func inOwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
