package lab

import (
	"fmt"
	"strings"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/cluster"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// longestLife is more than any value lives that empties itself.
const longestLife = 2 * time.Second

// overduePatience is for how long a key that empties itself may be there when its time has come.
const overduePatience = 5 * time.Second

// letExpire demands that all values are gone that empty themselves. A log's time never
// goes back: where clocks have been ahead, it stands still until they show as much again,
// so that all clocks are set to a time at which no value lives any more.
func (r *run) letExpire(result *Result, address string) {
	patience := overduePatience
	now := r.load.now()
	if ahead := time.Duration(r.load.clocks.newest(now) - now); ahead > 0 {
		ahead += longestLife
		offset := min(flotilla.Millis(ahead/time.Millisecond), scenario.MaxClockOffset)
		patience += ahead - time.Duration(offset)*time.Millisecond
		said, err := r.fleet.do(supervisor.Request{Verb: supervisor.Clock, Nodes: r.fleet.nodes(), Clock: cluster.Skew{OffsetMillis: offset}}, requestWait)
		if err != nil || !hasHeard(said) {
			result.late("the clocks could not be set ahead in the end: %s %v", said, err)
			return
		}
		result.note("all clocks were set %v ahead in the end, as far as any had been: what empties itself had to be gone then", time.Duration(offset)*time.Millisecond)
	}
	faults, unread := r.load.Overdue(address, patience)
	result.Faults, result.Late = append(result.Faults, faults...), append(result.Late, unread...)
}

// What lives for how long in a calm fleet whose clocks show the same: while trouble goes on
// nobody can tell when a value should have gone at the latest.
const (
	lifetime = 2 * time.Second
	tooEarly = lifetime * 3 / 4
	tooLate  = lifetime * 3 / 2

	// lifeTries is how often such a value is written while nobody knows whether it was: where clocks
	// were set ahead for letExpire, groups forget their nodes' sessions, once.
	lifeTries = 3
)

// timeLives writes a value into each group, and looks whether it lives as long as it was given.
func (r *run) timeLives(result *Result, address string) {
	type life struct {
		key         string
		asked, told time.Time
	}
	k := r.load.connect(address)
	defer k.close()
	var lives []life
	for g := range r.load.quiet.groups {
		l := life{key: r.load.keyOf(g)}
		var err error
		for range lifeTries {
			l.asked = time.Now()
			err = k.conn.Set(background, l.key, "there", lifetime).Err()
			if outcome, _ := OutcomeOf(err); outcome != check.Unknown {
				break
			}
			r.load.reconnect(k) // a connection that broke stays so
		}
		if err != nil {
			result.late("key %q can not be written in the end: %v", l.key, err)
			return
		}
		l.told = time.Now()
		lives = append(lives, l)
	}
	for _, l := range lives {
		<-time.After(time.Until(l.asked.Add(tooEarly)))
		n, err := k.conn.Exists(background, l.key).Result()
		if after := time.Since(l.asked); err == nil && n == 0 && after < lifetime-clockGrain*time.Millisecond {
			result.fault("key %q was to live for %v, and was gone %v after it was asked for", l.key, lifetime, after.Round(time.Millisecond))
		}
	}
	for _, l := range lives {
		<-time.After(time.Until(l.told.Add(tooLate)))
		n, err := k.conn.Exists(background, l.key).Result()
		if err != nil || n != 0 {
			result.late("key %q was to live for %v, and %v after it was written: %d there, %v", l.key, lifetime, tooLate, n, err)
		}
	}
	result.note("values that were given %v lived as long: %s looked at", lifetime, counted(len(lives), "group"))
}

// keyOf returns a key of a group that nobody else uses. The group is the place among those
// that own slots.
func (l *Load) keyOf(group int) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf("lifetime:%s:%d", l.Run, i); l.quiet.groupOf(key) == group {
			return key
		}
	}
}

// hasHeard reports whether every node has heard of a change by now, as the supervisor said.
func hasHeard(said string) bool { return !strings.Contains(said, "learns of this when it runs") }
