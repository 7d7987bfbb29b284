package lab

import (
	"fmt"

	"flotilla/check"
)

// Keep writes into the run's folder what is needed to look for a bug, as check.Finding does.
func (l *Lab) Keep(r *Result) error {
	return check.Finding{
		Plan:     fmt.Sprintf("# Played with seed %d.\n%s", l.Seed, l.Plan),
		Verdict:  r.String(),
		History:  r.History,
		Verdicts: []check.Verdict{r.linear},
	}.Keep(l.Dir)
}
