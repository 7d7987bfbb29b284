package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/scenario"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
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
	var lines []int // on which the steps are, in order
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) > 0 && (words[0] == "at" || words[0] == "every" || words[0] == "finally") {
			lines = append(lines, i+1)
		}
	}
	var all []error
	for i, step := range plan.Steps {
		err := executor.CanDo(step)
		if err == nil {
			continue
		}
		if i < len(lines) {
			err = fmt.Errorf("line %d: %w", lines[i], err)
		}
		all = append(all, err)
	}
	switch {
	case len(all) == 0:
	case Executor(true).CanPlay(plan) == nil:
		all = append(all, errors.New("with --power-cuts it is possible, on Linux"))
	default:
		all = append(all, errors.New("such a plan is for the simulator"))
	}
	return errors.Join(all...)
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
	redis.SetLogger(silent{}) // of the whole process
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
	defer r.load.Stop() // however the run ends; a second time does nothing
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
			result.fault("the fleet did not become whole within its calm time: %v", err)
		} else {
			result.note("whole again %v after the end", time.Since(began).Round(time.Millisecond))
		}
	}
	r.log("reading what is there in the end, and judging")
	addresses := r.load.options.Addresses
	final, faults := r.load.ReadFinal(ctx, addresses...)
	result.Faults = append(result.Faults, faults...)
	if isSafe {
		r.compare(ctx, result, addresses[0], final)
	}
	r.load.Judge(result, final)
	if !isSafe {
		r.load.judgeSilence(result)
	}
	r.judgeDeaths(result)
	r.fleet.disks.report(result)
	return result
}

// compare demands that every node has the same as what was read.
func (r *run) compare(ctx context.Context, result *Result, address string, final map[string]check.Final) {
	result.Faults = append(result.Faults, r.load.Overdue(address)...)
	// Reading may have had entries written: what expired is cleared away.
	err := r.fleet.waitUntil(ctx, readPatience, func() string { return r.fleet.isWhole(ctx, r.plan) })
	if err != nil {
		result.fault("after the end, with nobody writing: %v", err)
		return
	}
	for _, n := range r.fleet.Plan.Nodes {
		result.Faults = append(result.Faults, r.load.Same(n.Node, n.StoreAddr(), final)...)
	}
	result.note("%s read from each node's own copy", counted(len(final), "key"))
}

// judgeDeaths: a process that ended by itself had better been given a reason, which is
// damage to its files.
func (r *run) judgeDeaths(result *Result) {
	for _, s := range r.fleet.States() {
		if deaths := s.Deaths - r.excused[s.Node]; deaths > 0 && !r.damaged[s.Node] {
			result.fault("%v ended %s by itself: see %s", s.Node, counted(deaths, "time"), filepath.Join(r.fleet.folder(s.Node), "node.log"))
		}
	}
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
