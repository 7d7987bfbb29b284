package lab_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/lab/powercut"
	"flotilla/scenario"
	"flotilla/supervisor"
)

var isLong = flag.Bool("long", false, "cut the power many more times, and plant more bugs")

func TestMain(m *testing.M) { labtest.Main(m) }

// played is a run of `flotilla lab run`.
type played struct {
	*labtest.Process
	dir    string // of its runs
	offset int
}

// begin starts `flotilla lab run` with a plan, in a folder of the test.
func begin(t *testing.T, program string, plan *scenario.Plan, flags ...string) *played {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan.txt")
	if err := os.WriteFile(file, []byte(plan.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &played{dir: filepath.Join(t.TempDir(), "runs"), offset: labtest.FreeOffset(t, plan.Nodes)}
	cmd := exec.Command(program, "lab", "run", file, "--dir", p.dir, "--port-offset", fmt.Sprint(p.offset), "--seed", "7")
	cmd.Args = append(cmd.Args, flags...)
	p.Process = labtest.Start(t, cmd)
	return p
}

// play plays a plan to its end, and returns what it said, and the exit code.
func play(t *testing.T, program string, plan *scenario.Plan, flags ...string) (p *played, out string, code int) {
	t.Helper()
	p = begin(t, program, plan, flags...)
	<-p.Ended
	return p, p.Out.String(), p.Cmd.ProcessState.ExitCode()
}

func parse(t *testing.T, text string) *scenario.Plan {
	t.Helper()
	plan, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// short returns the beginning of a plan that comes with the program.
func short(t *testing.T, name string, duration flotilla.Millis) *scenario.Plan {
	t.Helper()
	p, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	p.Duration = duration
	var steps []scenario.Step
	for _, s := range p.Steps {
		if s.At <= duration && s.Until <= duration {
			steps = append(steps, s)
		}
	}
	p.Steps, p.Demand = steps, scenario.Demand{} // which is of the whole plan
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPromisesAreKept(t *testing.T) {
	t.Parallel()
	path := labtest.Program(t)
	for name, duration := range map[string]flotilla.Millis{"message-chaos": 6000, "pause": 8500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, out, code := play(t, path, short(t, name, duration))
			if code != 0 || !strings.Contains(out, "KEPT: every promise") {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			t.Log(out)
			if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left behind: %v", p.dir, err)
			}
		})
	}
}

// staleReads answers linearizable reads from whatever the node has applied.
var staleReads = labtest.Bug{File: "cluster/calls.go", Right: "if call.Level == flotilla.Linearizable {\n\t\treturn false\n\t}",
	Wrong: "if call.Level == flotilla.Linearizable {\n\t\tcall.Level = flotilla.Eventual\n\t}"}

// lazyLog has the log's fsync do nothing.
var lazyLog = labtest.Bug{File: "storage/open.go", Right: "d.fs = vfs.OnDiskFull(d.opts.FS, d.space.release)",
	Wrong: "d.fs = unsyncedFS{vfs.OnDiskFull(d.opts.FS, d.space.release)}", Added: `
type unsyncedFS struct{ vfs.FS }
type unsyncedFile struct{ vfs.File }
func (unsyncedFile) Sync() error { return nil }
func (unsyncedFile) SyncData() error { return nil }
func (unsyncedFile) SyncTo(int64) (bool, error) { return true, nil }
func (u unsyncedFS) OpenReadWrite(name string, why vfs.DiskWriteCategory, more ...vfs.OpenOption) (vfs.File, error) {
	f, err := u.FS.OpenReadWrite(name, why, more...)
	if err != nil || name[len(name)-4:] != ".log" {
		return f, err
	}
	return unsyncedFile{f}, nil
}
`}

// halfWatch has EXEC not look at the last of the watched keys, and shortLife gives
// values half of their time.
var (
	halfWatch = labtest.Bug{File: "store/machine.go", Right: "isChanged = isChanged || c.watchedVersion(key) != version",
		Wrong: "watches--\n\t\tisChanged = isChanged || watches > 0 && c.watchedVersion(key) != version"}
	shortLife = labtest.Bug{File: "store/string.go", Right: "return flotilla.Millis(n) + c.time, true", Wrong: "return flotilla.Millis(n)/2 + c.time, true"}
)

// TestPlantedBugs has one program with four bugs, each of which only one of the plans is made for.
func TestPlantedBugs(t *testing.T) {
	t.Parallel()
	path := labtest.Planted(t, staleReads, lazyLog, halfWatch, shortLife)
	t.Run("stale reads", func(t *testing.T) { findStaleReads(t, path) })
	t.Run("the log's fsync does nothing", func(t *testing.T) { findLoss(t, path) })
	t.Run("half a life, and clocks that jump", func(t *testing.T) {
		_, out, code := play(t, path, parse(t, lifeAfterJumps))
		for _, words := range []string{"expire", "was to live for 2s, and was gone"} {
			if code != 1 || !strings.Contains(out, words) {
				t.Errorf("exit code %d, and nothing says %q:\n%s", code, words, out)
			}
		}
	})
	t.Run("half a watch, half a life", func(t *testing.T) {
		_, out, code := play(t, path, parse(t, "name halves\nfor 4s\nclients 8\nthink 0s to 20ms\nload set 40% cas 30% setex 15% get 15% over 4 keys"))
		for _, words := range []string{"WATCH is BROKEN", "linearizability is BROKEN", "was to live for 2s, and was gone"} {
			if code != 1 || !strings.Contains(out, words) {
				t.Errorf("exit code %d, and nothing says %q:\n%s", code, words, out)
			}
		}
	})
}

// lifeAfterJumps has clocks be somewhat ahead, and then by hours: values that empty
// themselves are judged all the same.
const lifeAfterJumps = `name jumps
for 3s
think 0s to 20ms
load set 10% setex 30% get 60% over 4 keys
at 100ms set clock of n2 100ms ahead
at 2500ms transfer group 1 to n1
at 2500ms set clock of n1 2h ahead for 300ms`

// TestLifeAfterJumps: where clocks were hours ahead, what empties itself is waited for, and
// lives as long as it should after that.
func TestLifeAfterJumps(t *testing.T) {
	t.Parallel()
	_, out, code := play(t, labtest.Program(t), parse(t, lifeAfterJumps))
	for _, words := range []string{"all clocks were set 2h0m", "values that were given 2s lived as long: 1 group looked at"} {
		if code != 0 || !strings.Contains(out, words) {
			t.Errorf("exit code %d, and nothing says %q:\n%s", code, words, out)
		}
	}
}

// TestMorePlantedBugs is for long runs: each bug takes as long to build as to find.
func TestMorePlantedBugs(t *testing.T) {
	if !*isLong {
		return // no skipped test: where all tools are at hand, CI wants none
	}
	t.Run("records are not synced", func(t *testing.T) {
		findLoss(t, labtest.Planted(t, labtest.Bug{File: "storage/wal/log.go", Right: "if err := s.file.SyncData(); err != nil {", Wrong: "if err := error(nil); err != nil {"}))
	})
	t.Run("values live twice as long", func(t *testing.T) {
		path := labtest.Planted(t, labtest.Bug{File: shortLife.File, Right: shortLife.Right, Wrong: "return 2*flotilla.Millis(n) + c.time, true"})
		_, out, code := play(t, path, parse(t, lifeAfterJumps))
		if code != 1 || !strings.Contains(out, "was to live for 2s, and 3s after it was written: 1 there") {
			t.Fatalf("exit code %d\n%s", code, out)
		}
	})
	// One replica has a key more than the others, which no client sees.
	t.Run("copies differ", func(t *testing.T) {
		path := labtest.Planted(t, labtest.Bug{File: "consensus/apply.go", Right: "\tg.state.Commit(mark)\n",
			Wrong: "\tif g.Replica() == 2 {\n\t\tg.state.Set([]byte(\"~\"), nil)\n\t}\n\tg.state.Commit(mark)\n"})
		_, out, code := play(t, path, parse(t, "name differ\nfor 2s\nload once 100%"))
		if code != 1 || !strings.Contains(out, "differ, though both are at index") {
			t.Fatalf("exit code %d\n%s", code, out)
		}
	})
}

func findStaleReads(t *testing.T, path string) {
	p, out, code := play(t, path, short(t, "message-chaos", 4000))
	if code != 1 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, words := range []string{"BROKEN: ", "linearizability is BROKEN", "no order explains", "to play it again: "} {
		if !strings.Contains(out, words) {
			t.Errorf("nothing says %q:\n%s", words, out)
		}
	}
	for _, name := range []string{"plan.txt", "verdict.txt", "history.jsonl", "picture.html", "fleet/n2/node.log"} {
		found, err := filepath.Glob(filepath.Join(p.dir, "message-chaos-*", name))
		if err != nil || len(found) != 1 {
			t.Errorf("%s is not kept: %v", name, err)
		}
	}
}

// TestClocksLeadersAndMoments plays what is done within the nodes: their clocks are set,
// their leaders hand over, and they end at moments of their writes.
func TestClocksLeadersAndMoments(t *testing.T) {
	t.Parallel()
	plan := parse(t, `name within
for 7s
load set 40% get 40% incr 20%
at 500ms set clock of n1 3s ahead
at 500ms run clock of n2 5000ppm slow
at 1s transfer group 1 to n2
at 2s crash n1 before append for 20ms
at 4s crash a follower of group 1 after reply for 20ms
at 5500ms transfer group 1
at 6s mend clock of all`)
	_, out, code := play(t, labtest.Program(t), plan)
	if code != 0 || strings.Count(out, " 1 of 1") != 2 || strings.Contains(out, "not done") {
		t.Fatalf("exit code %d\n%s", code, out)
	}
}

// TestDemandsFail: a run that found nothing wrong is none that is kept, if what it was meant to show
// did not come. What a busy machine may have caused is told with the rest.
func TestDemandsFail(t *testing.T) {
	t.Parallel()
	_, out, code := play(t, labtest.Program(t), parse(t, `name demanding
demand moments silence below 120ms elections at least 100 new copies at least 1 elections at most 100
for 3s
think 0s to 5ms
load set 50% get 50%
at 1s crash n1 before install
at 2s kill leader of group 1 for 500ms`))
	for _, words := range []string{"the moment of `at 1s crash n1 before install` never came", "at least 100 are demanded", "there were 0 new copies", "120ms is allowed", "`crash n1 before install` 0 of 1"} {
		if code != 1 || !strings.Contains(out, words) {
			t.Errorf("exit code %d, and nothing says %q:\n%s", code, words, out)
		}
	}
}

// playPowerCuts is play on disks that forget. It skips the test by name where there can be none.
func playPowerCuts(t *testing.T, program string, plan *scenario.Plan) (p *played, out string, code int) {
	t.Helper()
	p, out, code = play(t, program, plan, "--power-cuts")
	if strings.Contains(out, powercut.ErrUnavailable.Error()) {
		t.Skip(powercut.ErrUnavailable)
	}
	return p, out, code
}

// TestPowerCuts cuts the power of nodes under load: of one, of all, at a moment that only
// the node knows, and so that a beginning of what was not synced stays. And their disks
// are slow, and full.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	text := `name power
for 8s
load set 40% get 20% incr 20% del 10% once 10%
at 1s slow disk of n3 by 5ms to 20ms for 2s
at 1s crash n1 losing unsynced for 20ms
at 2500ms crash all losing unsynced for 20ms
at 5s crash n2 after append losing some unsynced for 20ms
at 6s fill disk of n3 for 1s
finally crash all losing some unsynced for 20ms`
	if *isLong {
		text = `name power
for 5m
load set 40% get 20% incr 20% cas 10% once 10% over 20 keys
every 15s crash n1 losing unsynced for 20ms
every 15s from 5s crash all losing unsynced for 20ms
every 15s from 10s crash all losing some unsynced for 20ms
finally crash all losing some unsynced for 20ms`
	}
	_, out, code := playPowerCuts(t, labtest.Program(t), parse(t, text))
	if code != 0 || !strings.Contains(out, " power cuts took ") || !*isLong && !strings.Contains(out, " 1 of 1") {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if strings.Contains(out, "took 0 bytes") || strings.Contains(out, "made durable early") {
		t.Errorf("nothing was lost, or too kindly: nothing was tested\n%s", out)
	}
}

// findLoss wants a power cut to show a bug, by what it does: a flaky start would not do.
// kill -9, which is tried first in long runs, shows none of them.
func findLoss(t *testing.T, path string) {
	const plan = "name unsynced\nfor 3s\ncalm 10s\nload set 50%% once 50%%\nat 2s crash all %sfor 20ms"
	if *isLong {
		if _, out, code := playPowerCuts(t, path, parse(t, fmt.Sprintf(plan, ""))); code != 0 {
			t.Fatalf("kill -9 shows it, too, so it is no example: exit code %d\n%s", code, out)
		}
	}
	p, said, code := playPowerCuts(t, path, parse(t, fmt.Sprintf(plan, "losing unsynced ")))
	logs, err := filepath.Glob(filepath.Join(p.dir, "unsynced-*", "fleet", "n*", "node.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		said += string(text)
	}
	caught := regexp.MustCompile("an acknowledged write is lost|took its data for damaged|the data is damaged")
	if code == 0 || !caught.MatchString(said) {
		t.Fatalf("it was not caught: exit code %d\n%s", code, said)
	}
	t.Logf("caught: %s", caught.FindString(said))
}

// TestNoTwoFaultsOfADiskAtOnce: files are not changed after a power cut, nor a log with its tail
// mark, before the node has opened its disk again; and no cut takes anything after a change. The node has
// twelve seconds to open it: a machine with other work has been seen to need more than two.
func TestNoTwoFaultsOfADiskAtOnce(t *testing.T) {
	t.Parallel()
	_, out, code := playPowerCuts(t, labtest.Program(t), parse(t, `name twice
for 16s
calm 15s
load set 50% once 50%
at 1s crash n3 losing unsynced for 1s
at 1500ms clear last 4KiB of wal of n3
at 14s flip a bit in tail of n3
at 14100ms clear last 16B of wal of n3
at 14200ms crash n3 losing unsynced for 500ms`))
	for _, words := range []string{"n3: not done: its power was cut", "n3: tail of", "n3: not done: tail was changed", "KEPT"} {
		if code != 0 || !strings.Contains(out, words) {
			t.Errorf("exit code %d, and nothing says %q:\n%s", code, words, out)
		}
	}
}

// TestDamageIsNoExcuseForEver: a node may end by itself until it got over the damage. Of
// what it does after that, damage long ago is not the reason.
func TestDamageIsNoExcuseForEver(t *testing.T) {
	t.Parallel()
	p := begin(t, labtest.Program(t), parse(t, `name excused
for 12s
calm 15s
load set 50% get 50%
at 500ms restart n3
at 1s pause n2
at 1100ms flip a bit in tail of n2
at 1500ms resume n2`))
	labtest.Eventually(t, 60*time.Second, "the damage", func() bool { return strings.Contains(p.Out.String(), " s  resume n2") }, p.Out.String)
	abort(t, p, 2)
	labtest.Eventually(t, 30*time.Second, "the run to see n2 again", func() bool { return strings.Contains(p.Out.String(), "n2: over its damage") }, p.Out.String)
	abort(t, p, 2)
	<-p.Ended
	out := p.Out.String()
	for _, words := range []string{"BROKEN: 1 promise", "n2 ended 1 time by itself", "n2 died 1 time and was excused: its disk had been damaged"} {
		if !strings.Contains(out, words) {
			t.Errorf("nothing says %q:\n%s", words, out)
		}
	}
}

// TestFullDiskIsNoExcuseForEver: a node may end while its disk is full, and of a write that was refused
// just before there was room again. Not after that.
func TestFullDiskIsNoExcuseForEver(t *testing.T) {
	t.Parallel()
	p := begin(t, labtest.Program(t), parse(t, `name full
for 14s
calm 15s
load set 50% get 50%
at 500ms fill disk of n2 for 4s`), "--power-cuts")
	labtest.Eventually(t, 60*time.Second, "a full disk", func() bool {
		if strings.Contains(p.Out.String(), powercut.ErrUnavailable.Error()) {
			t.Skip(powercut.ErrUnavailable)
		}
		return strings.Contains(p.Out.String(), " s  fill disk of n2")
	}, p.Out.String)
	quit(t, p, 2)
	labtest.Eventually(t, 30*time.Second, "room for n2", func() bool { return strings.Contains(p.Out.String(), "n2: over its full disk") }, p.Out.String)
	abort(t, p, 2)
	<-p.Ended
	out := p.Out.String()
	for _, words := range []string{"BROKEN: 1 promise", "n2 ended 1 time by itself", "while their disks were full"} {
		if !strings.Contains(out, words) {
			t.Errorf("nothing says %q:\n%s", words, out)
		}
	}
}

// TestOnlyItsMomentIsForgiven: a node that waits for a moment, and ends in another way, has not had
// it, and is to blame.
func TestOnlyItsMomentIsForgiven(t *testing.T) {
	t.Parallel()
	p := begin(t, labtest.Program(t), parse(t, `name unforgiven
demand moments
for 8s
load set 50% get 50%
at 500ms crash n1 before install for 20ms`))
	labtest.Eventually(t, 60*time.Second, "n1 to wait for its moment", func() bool { return strings.Contains(p.Out.String(), " s  crash n1 before install") }, p.Out.String)
	abort(t, p, 1)
	<-p.Ended
	out := p.Out.String()
	for _, words := range []string{"BROKEN: 2 promises", "n1 ended 1 time by itself", "the moment of `at 500ms crash n1 before install for 20ms` never came"} {
		if !strings.Contains(out, words) {
			t.Errorf("nothing says %q:\n%s", words, out)
		}
	}
	if strings.Contains(out, "had its moment") {
		t.Errorf("the end of another kind is taken for it:\n%s", out)
	}
}

// abort is quit, and waits for the next one, which answers.
func abort(t *testing.T, p *played, node flotilla.NodeID) {
	t.Helper()
	before := quit(t, p, node)
	labtest.Eventually(t, 30*time.Second, node.String()+" to be there again", func() bool {
		state, answers := stateOf(t, p, node)
		return state.Starts > before.Starts && answers
	}, p.Out.String)
}

// quit ends a node's process as an assertion does, and returns what the node was before.
func quit(t *testing.T, p *played, node flotilla.NodeID) (before supervisor.MemberState) {
	t.Helper()
	labtest.Eventually(t, 30*time.Second, node.String()+" to be aborted", func() bool {
		state, answers := stateOf(t, p, node)
		before = state
		process, err := os.FindProcess(state.PID)
		return answers && err == nil && process.Signal(syscall.SIGQUIT) == nil
	}, p.Out.String)
	return before
}

// stateOf returns where a node of a run is in its life, and whether its process answers.
func stateOf(t *testing.T, p *played, node flotilla.NodeID) (state supervisor.MemberState, answers bool) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(p.dir, "*", "fleet"))
	if err != nil || len(dirs) != 1 {
		return state, false
	}
	plan, err := supervisor.ReadPlan(dirs[0])
	if err != nil {
		return state, false
	}
	client, err := supervisor.Dial(dirs[0])
	if err != nil {
		return state, false
	}
	states, err := client.States(t.Context())
	if err != nil || len(states) < int(node) {
		return state, false
	}
	state = states[node-1]
	a := supervisor.Survey(t.Context(), plan.Nodes[node-1:node])[0]
	return state, state.Phase == supervisor.Running && a.Err == nil && a.Status.PID == state.PID
}

func TestCtrlCHealsAndStops(t *testing.T) {
	t.Parallel()
	p := begin(t, labtest.Program(t), parse(t, "name interrupted\nfor 60s\nat 100ms pause n2\nat 100ms cut everywhere"))
	labtest.Eventually(t, 60*time.Second, "the run to begin", func() bool {
		out := p.Out.String()
		return strings.Contains(out, "cut everywhere") && strings.Contains(out, " s  pause n2")
	}, p.Out.String)
	if !p.Interrupt(60 * time.Second) {
		t.Fatalf("it does not stop:\n%s", p.Out)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.Out.String(), "nothing was judged") {
		t.Fatalf("exit code %d\n%s", code, p.Out)
	}
	if strings.Contains(p.Out.String(), "killing it") {
		t.Errorf("it did not stop in good order:\n%s", p.Out)
	}
	if !labtest.ArePortsFree(p.offset, 3) {
		t.Errorf("the nodes live on:\n%s", p.Out)
	}
	if left, err := filepath.Glob(filepath.Join(p.dir, "interrupted-*")); err != nil || len(left) > 0 {
		t.Errorf("nobody asked to keep %v, %v", left, err)
	}
}
