package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"flotilla"
)

// playPath is where the control endpoint tells of the run of a plan.
const playPath = controlPath + "/play"

// Bounds of what is kept of a run's output, and of a run.
const (
	maxPlays     = 1    // at a time: they would only measure each other
	maxPlayLines = 300  // the oldest after the first ones are left out
	maxPlayLine  = 1000 // bytes
	// playNodes is for how many nodes there are to be free ports.
	playNodes = 9
	// playStopWait is how long a run may take to stop its fleet in good order.
	playStopWait = 30 * time.Second
)

// PlayState is the run of a plan on a fleet of its own: the one that goes on, or the last.
type PlayState struct {
	Plan      string          `json:"plan"` // empty: there was none
	IsRunning bool            `json:"running"`
	Began     flotilla.Millis `json:"began_ms"`
	Ended     flotilla.Millis `json:"ended_ms,omitempty"`
	// Lines are what it said, in order. LeftOut is how many were left out after the first hundred.
	Lines   []string `json:"lines"`
	LeftOut int      `json:"left_out,omitempty"`
	// Outcome is one word: kept, broken, slow, failed, stopped; empty while it runs.
	Outcome string `json:"outcome,omitempty"`
}

// play is the run of a plan. Its process is a child of this one, as nodes are. The loop
// starts it, one at a time; whoever waits for its end writes that down.
type play struct {
	proc   *process
	onStop context.CancelFunc // has patience begin to run out

	mu    sync.Mutex // guards what follows
	state PlayState
	line  []byte // begun, and not ended yet
	stops int    // how often it was told to stop
}

// Write takes what the process says.
func (p *play) Write(raw []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = append(p.line, raw...)
	for {
		line, rest, isWhole := bytes.Cut(p.line, []byte("\n"))
		if !isWhole {
			p.line = p.line[:min(len(p.line), maxPlayLine)]
			return len(raw), nil
		}
		p.add(string(line))
		p.line = slices.Clone(rest)
	}
}

// add keeps a line. The first hundred stay: they say what was to happen.
func (p *play) add(line string) {
	const first = 100
	if len(p.state.Lines) >= maxPlayLines {
		p.state.Lines = slices.Delete(p.state.Lines, first, first+1)
		p.state.LeftOut++
	}
	p.state.Lines = append(p.state.Lines, strings.ToValidUTF8(line[:min(len(line), maxPlayLine)], "?"))
}

func (p *play) now() PlayState {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Lines = slices.Clone(s.Lines)
	return s
}

// ended writes down how a run ended.
func (p *play) ended(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.line) > 0 {
		p.add(string(p.line))
		p.line = nil
	}
	p.state.IsRunning, p.state.Ended = false, flotilla.Millis(time.Now().UnixMilli())
	isBroken := slices.ContainsFunc(p.state.Lines, func(l string) bool { return strings.HasPrefix(l, "BROKEN") })
	switch {
	case code == 0:
		p.state.Outcome = "kept"
	case isBroken:
		p.state.Outcome = "broken"
	case code == 3:
		p.state.Outcome = "slow"
	case p.stops > 0:
		p.state.Outcome = "stopped"
	default:
		p.state.Outcome = "failed"
	}
}

// stop has a run end in good order; a second time kills it. It reports whether there was one.
func (p *play) stop() bool {
	p.mu.Lock()
	isRunning := p.state.IsRunning
	p.stops++
	isFirst := p.stops == 1
	p.mu.Unlock()
	switch {
	case !isRunning:
		return false
	case isFirst:
		p.proc.stop()
		p.onStop()
	default:
		_ = p.proc.kill() // it is gone already, if this fails
	}
	return true
}

// startPlay starts the run of a plan. Only the loop calls it: see Fleet.Run on its thread.
func (l *loop) startPlay(r Request, now time.Time) outcome {
	if l.fleet.Play == nil {
		return outcome{err: errors.New("this fleet plays no plans")}
	}
	if running := l.play(); running.IsRunning {
		return outcome{err: fmt.Errorf("%s is being played: %d plan at a time", running.Plan, maxPlays)}
	}
	probe := Plan{PortOffset: l.plan.PortOffset, Nodes: make([]NodePlan, playNodes)}
	cmd, err := l.fleet.Play(r.Plan, freeOffset(probe))
	if err != nil {
		return outcome{err: err}
	}
	p := &play{state: PlayState{Plan: r.Plan, IsRunning: true, Lines: []string{}, Began: flotilla.Millis(now.UnixMilli())}}
	if p.proc, err = startProcess(cmd, p); err != nil {
		return outcome{err: err}
	}
	patience, stopped := context.WithCancel(context.Background())
	p.onStop = stopped
	l.playing.Store(p)
	ended := make(chan struct{})
	l.waiters.Go(func() {
		_ = p.proc.wait() // the exit code says it all
		p.ended(p.proc.cmd.ProcessState.ExitCode())
		close(ended)
		stopped()
		select {
		case l.played <- struct{}{}:
		default:
		}
	})
	l.waiters.Go(func() { p.killLate(patience, ended) })
	return outcome{lines: []string{"playing " + r.Plan + " on a fleet of its own"}}
}

// killLate kills a run that was told to stop, and does not.
func (p *play) killLate(told context.Context, ended <-chan struct{}) {
	<-told.Done()
	timer := time.NewTimer(playStopWait)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		_ = p.proc.kill() // it is gone already, if this fails
	}
}

// stopPlay has the run of a plan end.
func (l *loop) stopPlay() outcome {
	p := l.playing.Load()
	if p == nil || !p.stop() {
		return outcome{err: errors.New("no plan is being played")}
	}
	return outcome{lines: []string{"stopping: what was broken is healed first; a second time kills it"}}
}

// showPlay tells of the run of a plan.
func (l *loop) showPlay(w http.ResponseWriter, _ *http.Request) { reply(w, l.play()) }

// play returns the run that goes on, or the last.
func (l *loop) play() PlayState {
	if p := l.playing.Load(); p != nil {
		return p.now()
	}
	return PlayState{Lines: []string{}}
}
