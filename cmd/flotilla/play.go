package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"flotilla/console"
	"flotilla/lab"
	"flotilla/scenario"
)

// playablePlans are the plans that come with the program and that a page may ask for: those
// that need no file system of ours below the nodes.
func playablePlans() (plans []console.Plan) {
	for _, name := range scenario.Names() {
		plan, err := scenario.Load(name)
		if err == nil && lab.Executor(false).CanPlay(plan) == nil {
			plans = append(plans, console.Plan{Name: name, Teaches: plan.Teaches, Nodes: plan.Nodes, Seconds: int(plan.Duration+999) / 1000})
		}
	}
	return plans
}

// playCommand returns what plays a plan beside a fleet, in a temporary folder, which stays
// if a promise was broken.
func playCommand(exe, name string, portOffset int) (*exec.Cmd, error) {
	if !slices.ContainsFunc(playablePlans(), func(p console.Plan) bool { return p.Name == name }) {
		return nil, fmt.Errorf("there is no plan %q that can be played here: see flotilla lab list", name)
	}
	cmd := exec.Command(exe, "lab", "run", name, "--port-offset", strconv.Itoa(portOffset),
		"--dir", filepath.Join(os.TempDir(), "flotilla-lab-"+rand.Text()[:10]))
	cmd.Args[0] = "flotilla"
	return cmd, nil
}
