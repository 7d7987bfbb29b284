package lab

import (
	"fmt"
	"math/rand/v2"
	"time"

	"flotilla"
	"flotilla/scenario"
)

// RandomPlan draws the plan of a seed, for real processes. One in four demands liveness.
func RandomPlan(seed uint64, length flotilla.Millis, powerCuts bool) *scenario.Plan {
	return scenario.Random(seed, scenario.Options{
		Mode: scenario.RandomMode(seed), Duration: max(length, 1), Executor: Executor(powerCuts),
	})
}

// Draw is one plan of a series: what it is drawn from.
type Draw struct {
	Seed   uint64
	Length flotilla.Millis
}

// How long the plans of a series are. A longer one would have to thin its trouble out,
// since a plan has so many steps only.
const (
	leastLength flotilla.Millis = 60_000
	mostLength  flotilla.Millis = 120_000
	lengthGrain flotilla.Millis = 15_000
)

// Series divides a time of trouble among plans of one to two minutes, of this seed, the
// next one, and so on. What is no longer than two minutes is one plan.
func Series(seed uint64, length flotilla.Millis) (draws []Draw) {
	for ; length > mostLength; seed++ {
		const stream = 0x736572696573 // this use of the seed, apart from all others
		chance := rand.New(rand.NewPCG(seed, stream))
		one := leastLength + lengthGrain*flotilla.Millis(chance.Int64N(int64((mostLength-leastLength)/lengthGrain)+1))
		one = min(one, length-leastLength) // the last one shall not be too short
		draws = append(draws, Draw{seed, one})
		length -= one
	}
	return append(draws, Draw{seed, length})
}

// Figures is what clients and disks met in a run, or in several.
type Figures struct {
	Operations, Unknown, Refused int64 // of all operations: without an answer, and not carried out
	PowerCuts                    int
	Silence                      time.Duration // the longest time without any answer
}

// Add adds another run's.
func (f *Figures) Add(other Figures) {
	f.Operations += other.Operations
	f.Unknown += other.Unknown
	f.Refused += other.Refused
	f.PowerCuts += other.PowerCuts
	f.Silence = max(f.Silence, other.Silence)
}

// String says it in words.
func (f Figures) String() string {
	return fmt.Sprintf("%s, of which %d had an unknown outcome and %d were refused; %s; the longest time without any answer was %v",
		counted(int(f.Operations), "operation"), f.Unknown, f.Refused, counted(f.PowerCuts, "power cut"), f.Silence.Round(time.Millisecond))
}
