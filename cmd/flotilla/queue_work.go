package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"flotilla/queue"
	"flotilla/queue/rest"
	"flotilla/queue/worker"

	"github.com/spf13/cobra"
)

// workOptions are the flags of `flotilla queue work`.
type workOptions struct {
	concurrency  int
	lease, grace time.Duration
	failStatus   []int
}

const (
	// terminateTime is how long a command whose job was taken away has to end by itself.
	terminateTime = 5 * time.Second
	// maxEnvironBytes bounds one attribute in a command's environment: systems take some 128 KiB.
	maxEnvironBytes = 64 << 10
	// standardFailStatus is EX_DATAERR of sysexits.h: the input is wrong, and will stay so.
	standardFailStatus = 65
)

func newQueueWork(a *app, o *queueOptions) *cobra.Command {
	var w workOptions
	cmd := o.verb(&cobra.Command{
		Use:   "work NAME [flags] -- COMMAND [ARGUMENTS]",
		Short: "Run a command for each message",
		Long: `Receives messages, and runs the command once for each: the message's body is its standard input. Its exit
status decides:

  0              done: the message is deleted; the end of the standard output is the job's result
  65 (see --fail-status)   failed for good: deleted; the end of the standard error says why
  anything else  tried again after a backoff: the queue's (RetryBackoff), or 1 s, 2 s, 4 s ... 5 min;
                 dead if it was received too often (RedrivePolicy)

Of a result the last 256 KiB are kept, by queues with an attribute ResultRetentionPeriod. The standard
error is passed on. While the command runs, its message's lease is extended; if the lease is lost, or
--grace is over, the command and what it started get SIGTERM, and 5 s later SIGKILL. If this program
is killed, so are its commands (on Linux), and others get their messages when the leases run out.

The command's environment says more: FLOTILLA_JOB_ID, FLOTILLA_JOB_QUEUE, FLOTILLA_JOB_RECEIPT,
FLOTILLA_JOB_TOKEN (a number that is higher for each lease of a message), FLOTILLA_JOB_RECEIVES,
FLOTILLA_JOB_GROUP, FLOTILLA_JOB_PRIORITY, FLOTILLA_JOB_SENT_AT, and FLOTILLA_ATTR_ with the name of
each attribute, in capitals, and _ for what is neither letter nor digit. Attributes that can not stand
in an environment, or have more than 64 KiB, are named in FLOTILLA_JOB_LEFT_OUT instead.

Ctrl-C or SIGTERM: no new messages; what runs may go on for --grace, and is given back then.`,
		Example: `  flotilla queue work mail -- ./send-mail.sh
  flotilla queue work thumbnails --concurrency 8 --lease 2m -- sh -c 'convert - -resize 100 "out/$FLOTILLA_JOB_ID.png"'`,
		Args: usage(func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 1 || len(args) < 2 {
				return errors.New("write it as `flotilla queue work NAME -- COMMAND ARGUMENTS`")
			}
			return nil
		}),
	}, func(ctx context.Context, c *rest.Client, args []string) error {
		return a.queueWork(ctx, c, w, args[0], args[1:])
	})
	flags := cmd.Flags()
	flags.IntVar(&w.concurrency, "concurrency", 1, "how many commands run at a time")
	flags.DurationVar(&w.lease, "lease", 30*time.Second, "how long until others get a message if this program dies, 3s at least")
	flags.DurationVar(&w.grace, "grace", 20*time.Second, "how long commands may go on when this program shall stop")
	flags.IntSliceVar(&w.failStatus, "fail-status", []int{standardFailStatus}, "exit statuses that mean: failed for good")
	return cmd
}

func (a *app) queueWork(ctx context.Context, c *rest.Client, o workOptions, name string, command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return usageError{fmt.Errorf("the command %w", err)}
	}
	if _, err := wholeSeconds("lease", o.lease, 3, queue.MaxVisibilitySeconds); err != nil {
		return err
	}
	if o.concurrency < 1 || o.grace < 0 {
		return usageError{fmt.Errorf("--concurrency=%d, --grace=%v: give at least one, and no less than no time", o.concurrency, o.grace)}
	}
	if o.grace == 0 {
		o.grace = -1
	}
	c.Patience = 0 // a worker has more of it than a person
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{ReplaceAttr: shortError}))
	r := commandRunner{path: path, command: command, queue: name, failStatus: o.failStatus, said: &lockedWriter{to: a.err}}
	w := &worker.Worker{Client: c, Queue: name, Handle: r.run, Concurrency: o.concurrency, Lease: o.lease, Grace: o.grace, Log: log}
	log.Info("doing jobs", "queue", name, "concurrency", o.concurrency, "nodes", strings.Join(c.Addresses, ","))
	return w.Run(ctx)
}

// commandRunner runs a command for each job.
type commandRunner struct {
	path       string
	command    []string
	queue      string
	failStatus []int
	said       io.Writer // where the commands' standard errors go
}

// run is a worker.Handler.
func (r commandRunner) run(ctx context.Context, job *worker.Job) ([]byte, error) {
	out, said := &tail{most: queue.MaxResultBytes}, &tail{most: maxEnvironBytes}
	cmd := exec.CommandContext(ctx, r.path, r.command[1:]...)
	cmd.Args[0] = r.command[0]
	cmd.Stdin = strings.NewReader(job.Body)
	cmd.Stdout, cmd.Stderr = out, io.MultiWriter(r.said, said)
	cmd.Env = append(os.Environ(), r.environ(job)...)
	cmd.WaitDelay = terminateTime
	inOwnGroup(cmd)
	cmd.Cancel = func() error { return terminateGroup(cmd) }
	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd) // what it left behind
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return out.end(), nil
	case errors.As(err, &exit) && slices.Contains(r.failStatus, exit.ExitCode()):
		text := strings.TrimSpace(string(said.end()))
		if text == "" {
			text = exit.String()
		}
		return nil, worker.Fail(errors.New(text))
	}
	return nil, fmt.Errorf("%s: %w", r.command[0], err)
}

// environ is what the command is told of its job.
func (r commandRunner) environ(job *worker.Job) []string {
	all := []string{
		"FLOTILLA_JOB_ID=" + job.ID, "FLOTILLA_JOB_QUEUE=" + r.queue, "FLOTILLA_JOB_RECEIPT=" + job.Receipt,
		"FLOTILLA_JOB_TOKEN=" + strconv.FormatUint(job.Token, 10), "FLOTILLA_JOB_RECEIVES=" + strconv.FormatUint(job.Receives, 10),
		"FLOTILLA_JOB_GROUP=" + job.Group, "FLOTILLA_JOB_PRIORITY=" + strconv.FormatInt(job.Priority, 10),
		"FLOTILLA_JOB_SENT_AT=" + job.SentAt.Format(time.RFC3339Nano),
	}
	var leftOut []string
	for _, name := range slices.Sorted(maps.Keys(job.Attributes)) {
		variable, value := attributeVariable(name), string(job.Attributes[name].Value)
		isTaken := slices.ContainsFunc(all, func(other string) bool { return strings.HasPrefix(other, variable+"=") })
		if isTaken || len(value) > maxEnvironBytes || strings.ContainsRune(value, 0) {
			leftOut = append(leftOut, name)
			continue
		}
		all = append(all, variable+"="+value)
	}
	return append(all, "FLOTILLA_JOB_LEFT_OUT="+strings.Join(leftOut, " "))
}

// attributeVariable is the name of an attribute in a command's environment.
func attributeVariable(name string) string {
	return "FLOTILLA_ATTR_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	kept []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if len(t.kept) > 2*t.most { // so that most writes move nothing
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.most:]...)
	}
	return len(b), nil
}

// end returns what was written last.
func (t *tail) end() []byte { return t.kept[max(0, len(t.kept)-t.most):] }

// lockedWriter lets several commands write, one at a time.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer // guarded by mu
}

// Write implements io.Writer.
func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}
