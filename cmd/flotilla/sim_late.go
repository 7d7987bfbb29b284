package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"flotilla"
	"flotilla/sim"

	"github.com/spf13/cobra"
)

// lifeLimit is how long a life may take in real time, for each virtual minute that its plan has,
// and at least. Most take less than a second; a search for an order may take half a minute.
const lifeLimit = 2 * time.Minute

// addLifeLimit adds the flag that says so.
func addLifeLimit(cmd *cobra.Command, limit *time.Duration) {
	cmd.Flags().DurationVar(limit, "life-limit", lifeLimit, "how long a life may take in real time, for each virtual minute of its plan: longer is a failure")
}

func checkLifeLimit(limit time.Duration) error {
	if limit < time.Millisecond {
		return fmt.Errorf("--life-limit=%v: give a millisecond at least", limit)
	}
	return nil
}

// liveWithin lives one life. One that takes too long is a failure that says what it was doing, and
// goes on: nothing else can be lived in this process.
func liveWithin(limit time.Duration, live func(sim.Options) sim.Result, o sim.Options) (r sim.Result, isLate bool) {
	const minute flotilla.Millis = 60_000
	limit = time.Duration(float64(limit) * float64(max(minute, o.Plan.Duration)) / float64(minute))
	var mutex sync.Mutex
	last, isOver, tell := "nothing of its plan yet", false, o.Log
	o.Log = func(line string) {
		mutex.Lock()
		defer mutex.Unlock()
		if last = line; tell != nil && !isOver {
			tell(line)
		}
	}
	done := make(chan sim.Result, 1)
	go func() { done <- live(o) }()
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case r := <-done:
		return r, false
	case <-late.C:
	}
	mutex.Lock()
	defer mutex.Unlock()
	isOver = true
	fault := fmt.Sprintf("the life does not end: it took more than %v (--life-limit)\nthe last that its plan did: %s\nwhat it is doing:\n%s", limit, strings.TrimSpace(last), stacks())
	return sim.Result{Seed: o.Seed, Disk: cmp.Or(o.Disk, sim.Memory), Plan: o.Plan, Faults: []string{fault}}, true
}

// stacks says what all goroutines are doing.
func stacks() []byte {
	text := make([]byte, 1<<20)
	return text[:runtime.Stack(text, true)]
}
