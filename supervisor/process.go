package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// pipeWait is how long the output of a process that has ended may stay open, as
// it does when the process left children behind.
const pipeWait = 2 * time.Second

// process is one running process of a node.
type process struct {
	cmd *exec.Cmd
	// stdin is never written to: that it ends tells the node to stop, and it ends
	// also when this process is killed.
	stdin io.Closer
	gone  chan struct{} // closed by the loop once it knows that the process ended
}

// startProcess starts a node. Its thread must stay: see Fleet.Run.
func startProcess(cmd *exec.Cmd, output io.Writer) (*process, error) {
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = pipeWait
	cmd.SysProcAttr = childAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a node: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a node: %w", err), stdin.Close())
	}
	return &process{cmd: cmd, stdin: stdin, gone: make(chan struct{})}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end in good order. A paused one is woken up for that.
// What fails here shows in that the process does not end, and is then killed.
func (p *process) stop() {
	_ = p.stdin.Close()
	_ = resumeProcess(p.cmd.Process)
	_ = stopProcess(p.cmd.Process)
}

// kill ends the process as a crash would.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", p.pid(), err)
	}
	return nil
}

// ending is how a process ended.
type ending struct {
	how      string // for people
	isSignal bool   // it was ended from outside
}

// wait waits for the end of the process.
func (p *process) wait() ending {
	err := p.cmd.Wait()
	if state := p.cmd.ProcessState; state != nil {
		return ending{how: state.String(), isSignal: !state.Exited()}
	}
	return ending{how: fmt.Sprint(err)}
}
