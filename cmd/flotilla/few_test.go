package main

import (
	"fmt"
	"slices"
	"testing"
)

func TestOfManyFaultsOfARuleAFewAreTold(t *testing.T) {
	var faults []string
	for i := range 25 {
		faults = append(faults, fmt.Sprint("weak reads: ", i), fmt.Sprint("of itself ", i))
	}
	few := fewFaults(append(faults, "durable: lost"))
	if len(few) != shownFaults+25+2 || !slices.Equal(few[:2*shownFaults], faults[:2*shownFaults]) || few[len(few)-2] != "durable: lost" || few[len(few)-1] != "weak reads: and 15 more" {
		t.Errorf("%d faults are told: %q", len(few), few)
	}
}
