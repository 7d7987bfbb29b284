package sim

import (
	"slices"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
)

// listJudge holds every look at a list that only grows against what was promised:
// how long it is says how new the state is that a read saw.
type listJudge struct {
	pushes  map[string][]pushed
	longest map[string][]string
	seen    map[string]int // length of the longest that a finished linearizable read saw
}

// pushed is one value that somebody appended, or tried to.
type pushed struct {
	key, value string
	outcome    check.Outcome
	place      int
	begin, end time.Duration
}

// ranged is one look at a list.
type ranged struct {
	key    string
	level  flotilla.Level
	age    time.Duration // that is allowed, with flotilla.Bounded
	begin  time.Duration
	own    int // what its connection had made or seen before
	seen   int // what linearizable reads had seen before it began
	values []string
}

func newListJudge() *listJudge {
	return &listJudge{pushes: map[string][]pushed{}, longest: map[string][]string{}, seen: map[string]int{}}
}

func (j *listJudge) pushed(p pushed) { j.pushes[p.key] = append(j.pushes[p.key], p) }

// judge holds one look against its level.
func (j *listJudge) judge(w *world, r ranged) {
	known := j.longest[r.key]
	if common := min(len(r.values), len(known)); !slices.Equal(r.values[:common], known[:common]) {
		w.fault("list %s was seen as [%s] and as [%s]", r.key, strings.Join(known, " "), strings.Join(r.values, " "))
	}
	if len(r.values) > len(known) {
		j.longest[r.key] = r.values
	}
	since := r.begin
	switch r.level {
	case flotilla.Linearizable:
		if len(r.values) < r.seen {
			w.fault("a linearizable read of list %s sees %d values, one that ended before it began saw %d", r.key, len(r.values), r.seen)
		}
		j.seen[r.key] = max(j.seen[r.key], len(r.values))
	case flotilla.Session:
		if len(r.values) < r.own {
			w.fault("a session's read of list %s sees %d values, the session had made or seen %d", r.key, len(r.values), r.own)
		}
		return
	case flotilla.Bounded:
		since -= r.age
	default:
		return
	}
	for _, p := range j.pushes[r.key] {
		if p.outcome == check.Known && p.end <= since && p.place > len(r.values) {
			w.fault("a read of level %d (at most %v old) that began at %.3f s sees %d values of list %s; %s, at place %d, was acknowledged at %.3f s",
				r.level, r.age, r.begin.Seconds(), len(r.values), r.key, p.value, p.place, p.end.Seconds())
		}
	}
}

// final holds a list as it is in the end against all that was answered.
func (j *listJudge) final(w *world, key string, values []string) {
	place := map[string]int{}
	for i, value := range values {
		if place[value] != 0 {
			w.fault("list %s: %s was appended twice", key, value)
		}
		place[value] = i + 1
	}
	if known := j.longest[key]; len(known) > len(values) || !slices.Equal(values[:len(known)], known) {
		w.fault("list %s was seen as [%s] and is [%s]", key, strings.Join(known, " "), strings.Join(values, " "))
	}
	for _, p := range j.pushes[key] {
		switch {
		case p.outcome == check.Refused && place[p.value] != 0:
			w.fault("list %s: %s was refused, and appended", key, p.value)
		case p.outcome == check.Known && place[p.value] != p.place:
			w.fault("list %s: %s was acknowledged at place %d at %.3f s, and is at %d", key, p.value, p.place, p.end.Seconds(), place[p.value])
		}
		for _, q := range j.pushes[key] {
			if p.outcome == check.Known && q.outcome == check.Known && q.end < p.begin && q.place > p.place {
				w.fault("list %s: %s was acknowledged before %s was asked for, and comes after it", key, q.value, p.value)
			}
		}
	}
}
