//go:build unix

package supervisor

import (
	"os"
	"syscall"
)

func stopProcess(p *os.Process) error   { return p.Signal(syscall.SIGTERM) }
func pauseProcess(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resumeProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
