package bench

import (
	"os"
	"runtime"
	"time"
)

// Others measures which share of this machine's processors programs took that do not
// belong to what is measured. While others take much, slowness says little.
type Others struct {
	began   time.Time
	machine time.Duration
	ours    map[int]time.Duration
}

// WatchOthers begins to measure. The processes are ours, and so is this one.
func WatchOthers(pids []int) *Others {
	o := &Others{began: time.Now(), machine: readUsage(nil).machine, ours: map[int]time.Duration{}}
	for _, pid := range append([]int{os.Getpid()}, pids...) {
		o.ours[pid] = readUsage([]int{pid}).server
	}
	return o
}

// Share returns the share, from 0 to 1, of all processors since the beginning. The
// processes are those that are ours now: one that was not there before has used
// nothing before. What can not be read counts as 0, so that nothing is excused.
func (o *Others) Share(pids []int) float64 {
	all, ok := spent(o.machine, readUsage(nil).machine)
	if !ok {
		return 0
	}
	for _, pid := range append([]int{os.Getpid()}, pids...) {
		if used, ok := spent(max(o.ours[pid], 0), readUsage([]int{pid}).server); ok {
			all -= used
		}
	}
	return max(all.Seconds(), 0) / (time.Since(o.began).Seconds() * float64(runtime.NumCPU()))
}
