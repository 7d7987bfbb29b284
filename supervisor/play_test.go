package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// playEnv makes this test binary be the run of a plan of that name.
const playEnv = "FLOTILLA_TEST_PLAY"

// fakePlay is what `flotilla lab run` is to a supervisor: lines, and an exit code.
func fakePlay(plan string) (code int) {
	if plan == "deaf" {
		signal.Ignore(syscall.SIGTERM)
	}
	fmt.Println("plan " + plan)
	switch plan {
	case "kept":
		fmt.Println("KEPT: every promise that was tested")
	case "broken":
		fmt.Println("BROKEN: 1 promises\n- durability is BROKEN\n  SET k 7 was acknowledged")
		return 1
	case "busy":
		fmt.Println("SLOW: nothing that was told was wrong")
		return 3
	case "crash":
		fmt.Print("panic")
		return 2
	case "chatty":
		for i := range 2 * maxPlayLines {
			fmt.Printf("%d %s\n", i, strings.Repeat("x", 2*maxPlayLine))
		}
		fmt.Println("KEPT: in the end")
	case "long":
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is told to stop
		fmt.Println("stopped before the plan's end")
		return 1
	case "deaf":
		never, _, _ := os.Pipe()
		_, _ = io.Copy(io.Discard, never)
	}
	return 0
}

// playing is a fleet that plays plans.
func playing(t *testing.T) (*running, *Client) {
	t.Helper()
	dir, plan := freePlan(t, 1)
	r := runFleet(t, &Fleet{Dir: dir, Plan: plan, Timing: tiny, Command: fakeCommand(nil), Play: func(name string, offset int) (*exec.Cmd, error) {
		if name == "unknown" {
			return nil, errors.New("there is no such plan")
		}
		if offset == plan.PortOffset {
			t.Error("the plan's fleet has this one's ports")
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), playEnv+"="+name)
		return cmd, nil
	}})
	r.allAnswer(1)
	client, err := Dial(dir)
	check(t, err)
	return r, client
}

// ended waits for the end of a run.
func ended(t *testing.T, c *Client) (state PlayState) {
	t.Helper()
	eventually(t, "the run has ended", func() bool {
		var err error
		state, err = c.Plays(context.Background())
		check(t, err)
		return state.Plan != "" && !state.IsRunning
	})
	return state
}

// TestPlansArePlayed: one at a time; what was said and found can be asked for afterwards.
func TestPlansArePlayed(t *testing.T) {
	r, client := playing(t)
	if state, err := client.Plays(context.Background()); err != nil || state.Plan != "" || state.Lines == nil {
		t.Errorf("before the first: %+v, %v", state, err)
	}
	for plan, outcome := range map[string]string{"kept": "kept", "broken": "broken", "busy": "slow", "crash": "failed", "chatty": "kept"} {
		r.do(Request{Verb: Play, Plan: plan})
		state := ended(t, client)
		if state.Plan != plan || state.Outcome != outcome || state.Lines[0] != "plan "+plan || state.Ended < state.Began {
			t.Errorf("%s: %+v", plan, state)
		}
		last := state.Lines[len(state.Lines)-1]
		if want := map[string]string{"broken": "  SET k 7 was acknowledged", "crash": "panic", "chatty": "KEPT: in the end"}[plan]; want != "" && last != want {
			t.Errorf("%s said at last %q", plan, last)
		}
		if plan != "chatty" {
			continue
		}
		if len(state.Lines) != maxPlayLines || state.LeftOut == 0 || len(state.Lines[5]) > maxPlayLine {
			t.Errorf("kept %d lines, left out %d", len(state.Lines), state.LeftOut)
		}
	}
	for plan, want := range map[string]string{"unknown": "there is no such plan"} {
		if _, err := client.Do(context.Background(), Request{Verb: Play, Plan: plan}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", plan, err)
		}
	}
	r.end()
}

// TestAPlanIsStopped: in good order when asked, by force when asked again, and with the fleet.
func TestAPlanIsStopped(t *testing.T) {
	r, client := playing(t)
	if _, err := client.Do(context.Background(), Request{Verb: EndPlay}); err == nil {
		t.Error("what was not played was stopped")
	}
	r.do(Request{Verb: Play, Plan: "long"})
	if _, err := client.Do(context.Background(), Request{Verb: Play, Plan: "kept"}); err == nil || !strings.Contains(err.Error(), "long is being played") {
		t.Errorf("a second plan beside the first: %v", err)
	}
	r.do(Request{Verb: EndPlay})
	if state := ended(t, client); state.Outcome != "stopped" {
		t.Errorf("told to stop: %+v", state)
	}
	r.do(Request{Verb: Play, Plan: "deaf"})
	eventually(t, "it is deaf", func() bool {
		state, err := client.Plays(context.Background())
		check(t, err)
		if state.Lines == nil {
			t.Error("the page is told of no lines, and not of none yet")
		}
		return len(state.Lines) > 0
	})
	r.do(Request{Verb: EndPlay})
	r.do(Request{Verb: EndPlay})
	if state := ended(t, client); state.Outcome != "stopped" {
		t.Errorf("killed: %+v", state)
	}
	r.do(Request{Verb: Play, Plan: "long"})
	r.end() // waits for it, and goleak would see what is left
}
