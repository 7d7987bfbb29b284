package console

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"flotilla"
	"flotilla/console/door"
)

// Bounds of the load that a page can ask for. It is there to be watched; to measure, use
// `flotilla bench`.
const (
	maxLoadRate     = 5000 // commands a second
	loadConnections = 8
	loadTimeout     = 10 * time.Second // of a command
	maxLoadBehind   = 10 * time.Second // what was due longer ago than that, while an answer was waited for, is left out
	maxLoadPeriod   = 30 * time.Minute // then it ends by itself
	// loadKeys are how many keys are read and written, beside a counter for each connection.
	loadKeys = 1000
	// loadKeyLife is after how many seconds a load's keys are gone by themselves: each write of a key
	// begins them anew, and for a counter, which no load may lose while it runs, that is done each counterRenew.
	// It is two days: pages can set a clock a day ahead, in whose time TTLs count where its node leads, and
	// a key that is gone by that would be told of as a write that is missing.
	loadKeyLife  = 2 * 24 * 3600
	counterRenew = 10 * time.Minute
	// maxLoadSeconds are how many seconds the counts are remembered, for what came of a fault.
	maxLoadSeconds = 600
)

// load is reads and writes through the node's own door, as a page asked for. Each connection
// has keys of its own: a read must find what was acknowledged last, and so must a last read of
// each when the load ends. Each also counts up a key, which never goes back.
type load struct {
	pipe     *door.Pipe
	password string
	self     func() flotilla.NodeID // no other node writes keys of that name
	wake     chan struct{}          // one slot; never closed

	mu     sync.Mutex // guards what follows
	rate   int        // commands a second; 0: it does not run
	share  float64    // of writes
	until  time.Time
	counts LoadCounts
	// times are of the last whole second, and filling of the one that began at began.
	times, filling loadTimes
	began          time.Time
	past           []loadSecond
}

// loadTimes is how long commands took that were answered, from when each was due: a command that waits
// because the one before it does counts like one that was sent.
type loadTimes struct {
	flotilla.Histogram // in seconds
	longest            time.Duration
}

func newLoadTimes() loadTimes {
	return loadTimes{Histogram: flotilla.NewHistogram(flotilla.LatencyBounds())}
}

func (t *loadTimes) observe(took time.Duration) {
	t.Observe(took.Seconds())
	t.longest = max(t.longest, took)
}

// loadSecond is the counts as they were at a time, and the longest time in the second before.
type loadSecond struct {
	at      time.Time
	counts  LoadCounts
	longest time.Duration
}

// LoadCounts is what came of a load, since it was started.
type LoadCounts struct {
	Done    uint64 `json:"done"`
	Refused uint64 `json:"refused"` // certainly not carried out
	Unknown uint64 `json:"unknown"` // perhaps carried out
	Checked uint64 `json:"checked"` // reads and counts that were compared with what had been acknowledged
	Wrong   uint64 `json:"wrong"`   // of these, where that was missing
	// LongestMicros is how long the slowest took of those that were answered.
	LongestMicros int64 `json:"longest_us"`
	// LastError is the last one's text.
	LastError string `json:"last_error,omitempty"`
}

// LoadState is what a page is told of a load.
type LoadState struct {
	Rate int `json:"rate"`
	LoadCounts
	// MedianMicros and SlowMicros (of a hundred, one is slower) are of the last whole second, of commands
	// that were answered, from when they were due.
	MedianMicros int64 `json:"median_us"`
	SlowMicros   int64 `json:"slow_us"`
}

func newLoad(pipe *door.Pipe, password string, self func() flotilla.NodeID) *load {
	return &load{pipe: pipe, password: password, self: self, wake: make(chan struct{}, 1), began: time.Now(),
		times: newLoadTimes(), filling: newLoadTimes()}
}

// turn begins a new second, if it is time.
func (l *load) turn(now time.Time) {
	passed := now.Sub(l.began)
	if passed < time.Second {
		return
	}
	longest := l.filling.longest
	l.times, l.filling, l.began = l.filling, newLoadTimes(), now
	if passed >= 2*time.Second {
		l.times = newLoadTimes() // there was a second without any
	}
	if l.past = append(l.past, loadSecond{now, l.counts, longest}); len(l.past) > maxLoadSeconds {
		l.past = l.past[1:]
	}
}

// since returns what came of the load since a time, to a second or so. It does not know if
// the load was started, or the node, later than that.
func (l *load) since(at time.Time) (counts LoadCounts, isKnown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(time.Now())
	longest := l.filling.longest
	for _, then := range slices.Backward(l.past) {
		if then.at.After(at) {
			longest = max(longest, then.longest)
			continue
		}
		b := then.counts
		if l.counts.Done < b.Done {
			return counts, false
		}
		n := l.counts
		return LoadCounts{Done: n.Done - b.Done, Refused: n.Refused - b.Refused, Unknown: n.Unknown - b.Unknown,
			Checked: n.Checked - b.Checked, Wrong: n.Wrong - b.Wrong, LongestMicros: longest.Microseconds(), LastError: n.LastError}, true
	}
	return counts, false
}

// seen tells what requests saw of a fault, as far as a load went on then.
func (l *load) seen(at time.Time, self flotilla.NodeID) string {
	counts, isKnown := l.since(at)
	isRunning := l.now() > 0
	switch {
	case isKnown && (isRunning || counts.Done+counts.Refused+counts.Unknown > 0):
		return counts.say(self)
	case isRunning:
		return "The load began after that: what requests saw until then is not known."
	}
	return "No load ran: start it to see what requests see."
}

// say tells what came of a node's load.
func (n LoadCounts) say(node flotilla.NodeID) string {
	text := fmt.Sprintf("the load through %v: %d commands answered, ", node, n.Done)
	if n.Done > 0 {
		text += fmt.Sprintf("the slowest after %.2f s, ", float64(n.LongestMicros)/1e6)
	}
	text += fmt.Sprintf("%d refused, %d without an answer", n.Refused, n.Unknown)
	switch {
	case n.Wrong > 0:
		return text + fmt.Sprintf("; %d ACKNOWLEDGED WRITES MISSING", n.Wrong)
	case n.Checked > 0:
		return text + fmt.Sprintf("; nothing acknowledged was missing where %d of them looked", n.Checked)
	}
	return text
}

// set starts, changes or, with rate 0, ends the load.
func (l *load) set(rate int, share float64) {
	l.mu.Lock()
	if l.rate == 0 && rate > 0 {
		l.counts, l.past = LoadCounts{}, []loadSecond{{at: time.Now()}}
	}
	l.rate, l.share, l.until = rate, share, time.Now().Add(maxLoadPeriod)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// state tells how it goes.
func (l *load) state() LoadState {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(time.Now())
	return LoadState{Rate: l.rate, LoadCounts: l.counts, MedianMicros: l.times.quantile(.5), SlowMicros: l.times.quantile(.99)}
}

// quantile returns the microseconds within which a share of what was observed lies, by its bounds.
func (t *loadTimes) quantile(share float64) int64 {
	want, below := share*float64(t.Count()), uint64(0)
	for i, bound := range t.Bounds {
		if below += t.Counts[i]; want > 0 && float64(below) >= want {
			return min(int64(bound*1e6), t.longest.Microseconds())
		}
	}
	return t.longest.Microseconds() // beyond all bounds, or none
}

// run keeps connections busy while there is a load, until ctx ends.
func (l *load) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		if l.now() == 0 {
			continue
		}
		var busy sync.WaitGroup
		for i := range loadConnections {
			busy.Go(func() { l.connection(ctx, i) })
		}
		busy.Wait()
	}
}

// now returns the rate that is asked for now.
func (l *load) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().After(l.until) {
		l.rate = 0
	}
	return l.rate
}

// connection sends commands at its part of the rate, one after another, until there is
// no load any more, and then reads all its keys once. What is late because an answer was is
// made up for: clients do not stop to want something while an election is held.
func (l *load) connection(ctx context.Context, number int) {
	c := &loader{load: l, number: number, counter: fmt.Sprintf("load:%v:counter:%d:%08x", l.self(), number, rand.Uint32()), acked: map[string]string{}, doubtful: map[string]bool{}}
	defer c.close()
	for due := time.Now(); ctx.Err() == nil; {
		rate := l.now()
		if rate == 0 {
			break
		}
		c.once(ctx, due)
		due = due.Add(time.Second * loadConnections / time.Duration(rate))
		if oldest := time.Now().Add(-maxLoadBehind); due.Before(oldest) {
			due = oldest
		}
		pause := time.NewTimer(time.Until(due))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
	for key := range c.acked {
		if ctx.Err() != nil {
			return
		}
		c.do(ctx, time.Now(), "GET", key)
	}
}

// loader is a connection of a load, and what it knows.
type loader struct {
	load    *load
	number  int
	client  *door.Client      // nil: it is to be opened
	counter string            // the key that it counts up
	count   int64             // the greatest value of that that was acknowledged
	renewed time.Time         // when it was last said when that key ends; zero: never
	acked   map[string]string // what each key must hold
	// doubtful are keys of which a write had no answer: they are not compared any more.
	doubtful map[string]bool
}

func (c *loader) close() {
	if c.client != nil {
		_ = c.client.Close() // a pipe
		c.client = nil
	}
}

// once sends one command, which is drawn, and was due at a time.
func (c *loader) once(ctx context.Context, due time.Time) {
	l := c.load
	l.mu.Lock()
	isWrite := rand.Float64() < l.share
	l.mu.Unlock()
	key := fmt.Sprintf("load:%v:%d", l.self(), rand.IntN(loadKeys/loadConnections)*loadConnections+c.number)
	switch {
	case isWrite && rand.IntN(4) == 0:
		c.do(ctx, due, "INCR", c.counter)
		if time.Since(c.renewed) > counterRenew {
			c.do(ctx, time.Now(), "EXPIRE", c.counter, strconv.Itoa(loadKeyLife))
		}
	case isWrite:
		c.do(ctx, due, "SET", key, strconv.FormatInt(time.Now().UnixNano(), 36), "EX", strconv.Itoa(loadKeyLife))
	default:
		c.do(ctx, due, "GET", key)
	}
}

// do sends a command, notes what came of it, and compares that with what is known.
func (c *loader) do(ctx context.Context, due time.Time, args ...string) {
	var err error
	if c.client == nil {
		opening, cancel := context.WithTimeout(ctx, loadTimeout)
		c.client, err = door.Open(opening, c.load.pipe, c.load.password)
		cancel()
		if err != nil {
			c.client = nil
			c.load.note(due, door.Reply{}, err, false, false)
			return
		}
	}
	reply := door.Reply{}
	if err = c.client.SetDeadline(time.Now().Add(loadTimeout)); err == nil {
		reply, err = c.client.Do(args...)
	}
	isChecked, isRight := c.learn(args, reply, err)
	c.load.note(due, reply, err, isChecked, isRight)
	if err != nil {
		c.close()
	}
}

// learn takes an answer, and says whether it could be compared with what was acknowledged
// before, and was right.
func (c *loader) learn(args []string, reply door.Reply, err error) (isChecked, isRight bool) {
	verb, key := args[0], args[1]
	isAnswered := err == nil && reply.Err() == nil
	switch {
	case verb == "SET" && isAnswered:
		if !c.doubtful[key] {
			c.acked[key] = args[2]
		}
	case verb == "SET":
		if !isRefusal(reply, err) {
			delete(c.acked, key) // it may be there now, or come later, over what is written next
			c.doubtful[key] = true
		}
	case verb == "GET" && isAnswered:
		want, isKnown := c.acked[key]
		return isKnown, string(reply.Text) == want
	case verb == "INCR" && isAnswered:
		n, _ := strconv.ParseInt(string(reply.Text), 10, 64) // 0 is wrong, too
		isRight = n > c.count
		c.count = max(c.count, n)
		return true, isRight
	case verb == "EXPIRE" && isAnswered:
		c.renewed = time.Now()
	}
	return false, false
}

// isRefusal reports whether a command that failed was certainly not carried out.
func isRefusal(reply door.Reply, err error) bool {
	return err == nil && reply.Err() != nil && !strings.HasPrefix(reply.Err().Error(), "UNKNOWN")
}

// note counts what came of a command that was due at a time.
func (l *load) note(due time.Time, reply door.Reply, err error, isChecked, isRight bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(time.Now())
	if isChecked {
		l.counts.Checked++
		if !isRight {
			l.counts.Wrong++
		}
	}
	failure := errors.Join(err, reply.Err())
	switch {
	case failure == nil:
		took := time.Since(due)
		l.filling.observe(took)
		l.counts.Done++
		l.counts.LongestMicros = max(l.counts.LongestMicros, took.Microseconds())
		return
	case isRefusal(reply, err):
		l.counts.Refused++
	default:
		l.counts.Unknown++
	}
	l.counts.LastError = failure.Error()
}

// setLoad starts, changes or ends the load, as a page asks.
func (c *Console) setLoad(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Rate  int     `json:"rate"`
		Share float64 `json:"share"` // of writes
	}
	if !readAsk(w, r, &ask) {
		return
	}
	if ask.Rate < 0 || ask.Rate > maxLoadRate || !(ask.Share >= 0 && ask.Share <= 1) {
		http.Error(w, fmt.Sprintf("a load has 0 to %d commands a second, and a share of writes from 0 to 1", maxLoadRate), http.StatusBadRequest)
		return
	}
	c.load.set(ask.Rate, ask.Share)
	writeJSON(w, c.load.state())
}

// showLoad tells how the load goes.
func (c *Console) showLoad(w http.ResponseWriter, _ *http.Request) { writeJSON(w, c.load.state()) }
