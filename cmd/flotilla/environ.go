package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// serviceVariable matches what Kubernetes, and Docker before it, tells programs of a
// service that is called flotilla: nobody set it, and it must not stop a node.
var serviceVariable = regexp.MustCompile(`^[A-Z0-9_]*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)=|^[A-Z0-9_]*PORT=[a-z]+://`)

// checkEnviron refuses environment variables that look like a node's settings and
// are none: a setting with a slip in its name must not be ignored.
func checkEnviron(flags *pflag.FlagSet, environ []string) error {
	known := []string{labTokenEnv, labFaultsEnv, labFleetEnv}
	flags.VisitAll(func(f *pflag.Flag) {
		if isSetting(f) {
			known = append(known, environName(f.Name))
		}
	})
	isKnown := make(map[string]bool, len(known))
	for _, name := range known {
		isKnown[name] = true
	}
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, environPrefix) || isKnown[name] || serviceVariable.MatchString(variable) {
			continue
		}
		return fmt.Errorf("there is no setting $%s: did you mean $%s? (see `flotilla node --help`)", name, nearest(name, known))
	}
	return nil
}

// nearest returns the name that takes the fewest slips to become text.
func nearest(text string, names []string) string {
	best, fewest := "", 0
	for _, name := range names {
		if n := slips(text, name); best == "" || n < fewest {
			best, fewest = name, n
		}
	}
	return best
}

// slips counts the letters to add, leave out or replace to turn a into b.
func slips(a, b string) int {
	row := make([]int, len(b)+1) // from what is read of a to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // from a without its letter i to b[:j]
		row[0] = i + 1
		for j := range len(b) {
			replaced := before
			if a[i] != b[j] {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
