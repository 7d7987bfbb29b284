//go:build unix && !linux

package supervisor

import "syscall"

// childAttributes gives a node a process group of its own, so that Ctrl-C in the
// terminal reaches the supervisor only.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
