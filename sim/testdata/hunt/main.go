// Hunt lives one life after another until one finds something, and says what each
// found: what bugs_test.go builds with a bug in it. It is small so that it is built soon.
//
//	hunt memory keys 1 300              the disk, what clients ask for (keys or queues), the first seed, how many
//	hunt pebble keys 1 30 some-plan.txt always that plan, with its own seed and those after it
//	hunt memory keys 1 3 one-way-cut    always one that comes with the program
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"flotilla/scenario"
	"flotilla/sim"
)

// maxLife is far more time than any life takes, on a machine that is busy, too: a bug may
// have a node go round for ever within one turn.
const maxLife = 3 * time.Minute

func main() {
	var disk sim.Tier
	var load string
	var first, seeds uint64
	if _, err := fmt.Sscan(strings.Join(os.Args[1:], " "), &disk, &load, &first, &seeds); err != nil {
		fmt.Fprintln(os.Stderr, "usage: hunt DISK keys|queues FIRST SEEDS [PLAN]")
		os.Exit(2)
	}
	var plan *scenario.Plan
	if len(os.Args) > 5 {
		var own uint64
		plan, own = read(os.Args[5])
		first += own - 1
	}
	out := json.NewEncoder(os.Stdout)
	for seed := first; seed < first+seeds; seed++ {
		late := time.AfterFunc(maxLife, func() {
			_ = out.Encode([]string{fmt.Sprintf("the life of seed %d does not end", seed)})
			os.Exit(0)
		})
		r := sim.Run(sim.Options{Seed: seed, Disk: disk, Plan: plan, IsOfQueues: load == "queues"})
		late.Stop()
		if err := out.Encode(r.Faults); err != nil {
			os.Exit(1)
		}
		if !r.OK() {
			return
		}
	}
}

// read reads a plan of testdata/regressions, whose second line has its seed, or one that comes with
// the program.
func read(file string) (plan *scenario.Plan, seed uint64) {
	if plan, err := scenario.Load(file); err == nil {
		return plan, 1
	}
	text, err := os.ReadFile(file)
	if err == nil {
		plan, err = scenario.Parse(string(text))
	}
	if lines := strings.SplitN(string(text), "\n", 3); err == nil && len(lines) == 3 {
		var disk string
		_, err = fmt.Sscanf(lines[1], "# disk %s seed %d", &disk, &seed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, file, err)
		os.Exit(2)
	}
	return plan, seed
}
