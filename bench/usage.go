package bench

import "time"

// usage is CPU time that was used up to a moment, user and system together.
// A negative value is unknown.
type usage struct {
	server  time.Duration // the server's processes
	client  time.Duration // this one
	machine time.Duration // all there are
}

const unknown = time.Duration(-1)

// spent is what was used between two moments. A process that was started again
// in between has used less than before: then nobody knows.
func spent(before, after time.Duration) (time.Duration, bool) {
	if before < 0 || after < before {
		return 0, false
	}
	return after - before, true
}
