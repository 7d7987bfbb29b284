package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"flotilla"
	"flotilla/scenario"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9/logging"
)

// Lab is one run of a plan. All fields are set before Run.
type Lab struct {
	Plan *scenario.Plan
	Seed uint64 // of what clients ask for, and of which bits are flipped
	// Dir is the run's own folder, which must not be there yet. The nodes' folders are
	// in Dir/fleet.
	Dir        string
	PortOffset int
	// Command returns the command that runs a node, as for supervisor.Fleet.
	Command func(supervisor.Launch) *exec.Cmd
	// PowerCuts lays the nodes' data on file systems that forget what was not synced.
	PowerCuts bool
	// KeepsDisks has Run keep what lay on these also if all promises were kept.
	KeepsDisks bool
	// Log takes a line for people. It may be called from any goroutine.
	Log func(line string)
}

// ErrInterrupted is returned by Run when it was told to end before the plan did.
// Nothing was judged then.
var ErrInterrupted = errors.New("stopped before the plan's end: nothing was judged")

// Executor says what real processes can do, with or without Lab.PowerCuts.
func Executor(powerCuts bool) scenario.Executor {
	if powerCuts {
		return scenario.RealPowerCut()
	}
	return scenario.Real()
}

// CanPlay tells whether an executor can play a plan; nil if so. text is what it was
// parsed from: the error names each step that can not be done by its line there.
func CanPlay(executor scenario.Executor, plan *scenario.Plan, text string) error {
	err := executor.CanPlayText(plan, text)
	switch {
	case err == nil:
		return nil
	case Executor(true).CanPlay(plan) == nil:
		return fmt.Errorf("%w\nwith --power-cuts it is possible, on Linux", err)
	}
	return fmt.Errorf("%w\nsuch a plan is for the simulator: flotilla sim run", err)
}

// Run starts a fleet, plays the plan, judges, and ends all that it started. When ctx
// ends, it heals the fleet and stops it in good order; when hard ends, it kills it.
// An error means that the run itself failed; a broken promise is in the Result.
func (l *Lab) Run(ctx, hard context.Context) (result *Result, err error) {
	if err := Executor(l.PowerCuts).CanPlay(l.Plan); err != nil {
		return nil, err
	}
	if _, err := os.Stat(l.Dir); !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is there already: each run has a folder of its own", l.Dir)
	}
	logging.Disable() // of the whole process: connections that fail are meant to
	f, err := l.startFleet()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(l.Dir)) // nothing but a lock, or what is not used yet
	}
	defer func() { err = errors.Join(err, l.end(f, hard, result)) }()
	if err := f.dial(ctx); err != nil {
		return nil, l.interrupted(ctx, err)
	}
	l.Log("starting " + counted(l.Plan.Nodes, "node") + " in " + f.Dir)
	if err := f.waitUntil(ctx, startWait, func() string { return f.isWhole(ctx, l.Plan) }); err != nil {
		return nil, l.interrupted(ctx, fmt.Errorf("the new fleet does not serve: %w", err))
	}
	r := newRun(l, f)
	defer r.busy.end() // however the run ends; a second time does nothing
	defer r.load.Stop()
	if err := r.play(ctx); err != nil {
		return nil, l.interrupted(ctx, errors.Join(err, r.heal()))
	}
	result = r.finish(ctx)
	if ctx.Err() != nil {
		return nil, ErrInterrupted
	}
	return result, nil
}

// end ends the fleet and its disks.
func (l *Lab) end(f *fleet, hard context.Context, result *Result) error {
	if err := f.end(hard); err != nil {
		return fmt.Errorf("stop the fleet: %w", err) // and leave the disks to whoever looks into this
	}
	var err error
	if result == nil || !result.OK() || l.KeepsDisks {
		err = f.disks.keep(filepath.Join(l.Dir, "disks"))
	}
	return errors.Join(err, f.disks.unmount())
}

// interrupted returns ErrInterrupted if that is the reason of an error.
func (l *Lab) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ErrInterrupted
	}
	return err
}

// finish waits until all is well again, as far as the plan's mode demands it, and
// judges.
func (r *run) finish(ctx context.Context) *Result {
	result := &Result{}
	isSafe := r.plan.Mode == scenario.Safety
	if isSafe {
		began := time.Now()
		calm := time.Duration(r.plan.Calm) * time.Millisecond
		if err := r.fleet.waitUntil(ctx, calm, func() string { return r.fleet.isWhole(ctx, r.plan) }); err != nil {
			result.late("the fleet did not become whole within its calm time: %v", err)
		} else {
			result.note("whole again %v after the end", time.Since(began).Round(time.Millisecond))
		}
	}
	r.lookAtDamaged() // who is whole got over it
	r.log("reading what is there in the end, and judging")
	addresses := r.load.options.Addresses
	final, unread := r.load.ReadFinal(ctx, addresses...)
	result.Late = append(result.Late, unread...)
	if isSafe {
		if r.load.hasPassing {
			r.letExpire(result, addresses[0])
			r.timeLives(result, addresses[0])
		}
		r.compare(ctx, result, final)
	}
	r.busy.end() // judging alone keeps the machine busy
	result.Busy = r.busy.wasTooBusy()
	r.load.Judge(result, final)
	if most := maxSilence(r.plan); most > 0 {
		r.load.judgeSilence(result, most)
	}
	r.judgeDamaged(result)
	r.judgeTested(result)
	if r.fullDeaths > 0 {
		result.note("nodes ended %s while their disks were full: what can not be written down must not go on", counted(r.fullDeaths, "time"))
	}
	r.fleet.disks.report(result)
	return result
}

// log says something with the time of the plan.
func (r *run) log(format string, args ...any) {
	r.lab.Log(fmt.Sprintf("%7.1f s  %s", float64(r.now())/1000, fmt.Sprintf(format, args...)))
}

// now is the time of the plan.
func (r *run) now() flotilla.Millis { return flotilla.Millis(time.Since(r.load.Began).Milliseconds()) }

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
