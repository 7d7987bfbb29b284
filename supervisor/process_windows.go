package supervisor

import (
	"errors"
	"os"
	"syscall"
)

// errNoPause is the answer where processes can not be stopped and continued.
var errNoPause = errors.New("Windows can not pause a process: use `flotilla fault isolate` instead")

// childAttributes keeps Ctrl-C in the console from the nodes.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// stopProcess does nothing: a node stops because its standard input ended.
func stopProcess(*os.Process) error   { return nil }
func pauseProcess(*os.Process) error  { return errNoPause }
func resumeProcess(*os.Process) error { return errNoPause }
