package main

import (
	"fmt"
	"strings"
)

// shownFaults is how many faults of one rule are told on the screen.
const shownFaults = 10

// fewFaults returns the first faults of each rule, and how many more there are: one wrong life may
// break a promise a thousand times. A fault's rule is what stands before its first colon.
func fewFaults(faults []string) (few []string) {
	of := map[string]int{}
	var rules []string
	for _, fault := range faults {
		rule, _, _ := strings.Cut(fault, ": ")
		if of[rule]++; of[rule] <= shownFaults {
			few = append(few, fault)
		} else if of[rule] == shownFaults+1 {
			rules = append(rules, rule)
		}
	}
	for _, rule := range rules {
		few = append(few, fmt.Sprintf("%s: and %d more", rule, of[rule]-shownFaults))
	}
	return few
}
