package sim

import (
	"fmt"
	"strings"

	"flotilla/check"
)

// Keep writes into a folder what is needed to look for the bug that a life found, as
// check.Finding does. Its plan can be played again, and be copied to testdata/regressions.
func (r Result) Keep(dir string) error {
	var verdict strings.Builder
	fmt.Fprintf(&verdict, "BROKEN: %d promises\n", len(r.Faults))
	for _, fault := range r.Faults {
		fmt.Fprintf(&verdict, "- %s\n", strings.ReplaceAll(fault, "\n", "\n  "))
	}
	plan := ""
	if r.Plan != nil {
		what := ""
		if len(r.Faults) > 0 {
			what, _, _ = strings.Cut(r.Faults[0], "\n")
		}
		plan = fmt.Sprintf("# %s\n# disk %s seed %d\n%s", what, r.Disk, r.Seed, r.Plan)
	}
	return check.Finding{Plan: plan, Verdict: verdict.String(), History: r.History, Queues: r.Queues, Verdicts: r.Verdicts}.Keep(dir)
}
