package lab

import (
	"fmt"
	"strings"

	"flotilla/check"
)

// Keep writes into the run's folder what is needed to look for a bug, as check.Finding does.
func (l *Lab) Keep(r *Result) error {
	verdict := r.String()
	for _, v := range r.broken {
		verdict += fmt.Sprintf("\nall %d of one checker:\n- %s\n", len(v.Faults), strings.Join(v.Faults, "\n- "))
	}
	return check.Finding{
		Plan:     fmt.Sprintf("# Played with seed %d.\n%s", l.Seed, l.Plan),
		Verdict:  verdict,
		History:  r.History,
		Verdicts: []check.Verdict{r.linear},
	}.Keep(l.Dir)
}
