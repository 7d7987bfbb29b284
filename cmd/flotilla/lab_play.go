package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flotilla/lab"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// These end a run that found something. It was told already.
var (
	errBroken = errors.New("a promise was broken")
	errSlow   = errors.New("the machine was too busy to tell")
)

// labPlan is a plan, and the command line that plays it alone.
type labPlan struct {
	plan  *scenario.Plan
	seed  uint64
	again string
}

// named is a plan that `flotilla lab run` plays.
func (o *labOptions) named(name string, plan *scenario.Plan) labPlan {
	return labPlan{plan, o.seed, fmt.Sprintf("flotilla lab run %s --seed %d", quoted(name), o.seed) + o.again()}
}

// drawn is a plan that `flotilla lab random` plays.
func (o *labOptions) drawn(d lab.Draw) labPlan {
	minutes := strconv.FormatFloat(float64(d.Length)/60_000, 'g', -1, 64)
	return labPlan{lab.RandomPlan(d.Seed, d.Length, o.powerCuts), d.Seed, fmt.Sprintf("flotilla lab random --seed %d --minutes %s", d.Seed, minutes) + o.again()}
}

// check says what is wrong with the flags, before anything is played.
func (o *labOptions) check() error {
	if err := (supervisor.Want{PortOffset: o.portOffset}).Check(); err != nil {
		return err
	}
	_, err := os.Stat(o.dir)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return fmt.Errorf("--dir=%s: no folder for the fleet: %w", o.dir, err)
	}
	if isNew {
		return os.Remove(o.dir)
	}
	return nil
}

// labRun does some work with the lab. The first Ctrl-C ends its first context, and the
// second one its second.
func (a *app) labRun(ctx context.Context, o *labOptions, work func(s *screen, soft, hard context.Context) error) error {
	if err := o.check(); err != nil {
		return usageError{err}
	}
	s := newScreen(a.out)
	return untilSignal(ctx, s, "healing and stopping; Ctrl-C again kills the nodes", func(soft, hard context.Context) error {
		return work(s, soft, hard)
	})
}

// labOne plays one plan.
func (a *app) labOne(ctx context.Context, p labPlan, o labOptions) error {
	return a.labRun(ctx, &o, func(s *screen, soft, hard context.Context) error {
		_, err := o.play(s, soft, hard, p)
		return err
	})
}

// play plays a plan, tells the verdict, and keeps what is needed to look into it. The
// result is nil if the run itself failed.
func (o *labOptions) play(s *screen, soft, hard context.Context, p labPlan) (*lab.Result, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start the nodes with: %w", err)
	}
	dir, err := filepath.Abs(filepath.Join(o.dir, p.plan.Name+"-"+time.Now().Format("20060102-150405.000")))
	if err != nil {
		return nil, fmt.Errorf("--dir=%s: %w", o.dir, err)
	}
	if _, err := os.Stat(o.dir); errors.Is(err, fs.ErrNotExist) {
		defer func() { _ = os.Remove(o.dir) }() // stays if it is not empty
	}
	s.line(strings.TrimRight(p.plan.String(), "\n"))
	again := fmt.Sprintf("seed %d; to play it again: %s", p.seed, p.again)
	s.line("\n" + again)
	l := &lab.Lab{
		Plan: p.plan, Seed: p.seed, Dir: dir, PortOffset: o.portOffset, PowerCuts: o.powerCuts, KeepsDisks: o.keeps, Log: s.line,
		Command: func(launch supervisor.Launch) *exec.Cmd {
			cmd := nodeCommand(exe, upOptions{memory: defaultMemory}, launch)
			cmd.Args = append(cmd.Args, "--replicas", strconv.Itoa(p.plan.Copies))
			return cmd
		},
	}
	result, err := l.Run(soft, hard)
	if errors.Is(err, lab.ErrInterrupted) && !o.keeps {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		if _, statErr := os.Stat(dir); statErr == nil {
			s.line("what was there is in " + dir)
		}
		return nil, err
	}
	s.line(result.String())
	if !result.OK() {
		s.line(again)
		s.line("plan, verdict, history and the nodes' folders are in " + dir)
		found := errBroken
		if result.IsSlow() {
			found = errSlow
		}
		return result, errors.Join(l.Keep(result), silentError{found})
	}
	if o.keeps {
		s.line("all of it is in " + dir)
		return result, l.Keep(result)
	}
	if err := os.RemoveAll(dir); err != nil {
		return result, fmt.Errorf("remove what was used: %w", err)
	}
	return result, nil
}
