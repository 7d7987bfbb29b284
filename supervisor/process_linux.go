package supervisor

import "syscall"

// childAttributes gives a node a process group of its own, so that Ctrl-C in the
// terminal reaches the supervisor only, and has the kernel kill the node when the
// supervisor's starting thread is gone. It is SIGKILL because a paused node
// would not see anything else; nodes are made to survive it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
