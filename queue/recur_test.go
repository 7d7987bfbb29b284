package queue

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flotilla"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("this machine does not know the zone: %v", err)
	}
	return zone
}

// TestCronIsWhatTheClockSays compares with each minute's local time, by the standard library.
func TestCronIsWhatTheClockSays(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"} {
		zone := location(t, name)
		for _, text := range []string{"* * * * *", "*/7 * * * *", "5,10-12 * * * *", "0 * 1 * *", "59 * * * sun", "30 * 13 * fri", "0 */5 29 2 *", "15 * * 3,oct 7"} {
			c, ok := parseCron(text)
			if !ok {
				t.Fatalf("%s is not understood", text)
			}
			begin := time.Date(2025, time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
			if r.IntN(2) == 0 {
				begin = time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(7200)) * time.Second)
			}
			offsets := zoneOffsets(zone, begin)
			at := flotilla.Millis(begin.UnixMilli())
			for range 5 {
				got, ok := c.next(at, offsets)
				want := begin
				for want = time.UnixMilli(int64(at)).Truncate(time.Minute).Add(time.Minute); !matches(&c, want.In(zone)); {
					want = want.Add(time.Minute)
				}
				if !ok || int64(got) != want.UnixMilli() {
					t.Fatalf("%s in %s after %v: %v, not %v", text, name, at, time.UnixMilli(int64(got)).In(zone), want.In(zone))
				}
				at = got
			}
		}
	}
}

func matches(c *cron, at time.Time) bool {
	isDay, isWeekday := c.days>>at.Day()&1 == 1, c.weekdays>>at.Weekday()&1 == 1
	if !c.isAnyDay && !c.isAnyWeekday {
		isDay = isDay || isWeekday
		isWeekday = isDay
	}
	return c.minutes>>at.Minute()&1 == 1 && c.hours>>at.Hour()&1 == 1 && c.months>>int(at.Month())&1 == 1 && isDay && isWeekday
}

// TestCronWhenClocksChange is about local times that do not come, and that come twice.
func TestCronWhenClocksChange(t *testing.T) {
	zone := location(t, "Europe/Berlin")
	for _, c := range []struct{ text, after, want string }{
		{"30 2 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"}, // there is no 02:30
		{"30 2 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		{"30 * * * *", "2026-03-29T01:45:00+01:00", "2026-03-29T03:30:00+02:00"},
		{"30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"}, // the first of two
		{"30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		{"30 * * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"},
		{"0 0 29 2 *", "2096-03-01T00:00:00+01:00", "2104-02-29T00:00:00+01:00"},
	} {
		expression, _ := parseCron(c.text)
		after, _ := time.Parse(time.RFC3339, c.after)
		got, _ := expression.next(flotilla.Millis(after.UnixMilli()), zoneOffsets(zone, after.AddDate(-1, 0, 0)))
		if text := time.UnixMilli(int64(got)).In(zone).Format(time.RFC3339); text != c.want {
			t.Errorf("%s after %s: %s, not %s", c.text, c.after, text, c.want)
		}
	}
}

func TestCronRefusesNonsense(t *testing.T) {
	for _, text := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8",
		"5-1 * * * *", "*/0 * * * *", "*/99 * * * *", "a * * * *", "1, * * * *", "-1 * * * *", "1-2-3 * * * *", "* * * * monday"} {
		if _, ok := parseCron(text); ok {
			t.Errorf("%q is understood", text)
		}
	}
}

func FuzzCron(f *testing.F) {
	f.Add("*/5 1-3 1,15 jan sun", int64(1_700_000_000_000))
	f.Fuzz(func(t *testing.T, text string, now int64) {
		c, ok := parseCron(text)
		if !ok || now < 0 || now > 1<<41 {
			return
		}
		if at, ok := c.next(flotilla.Millis(now), nil); ok && (int64(at) <= now || !matches(&c, time.UnixMilli(int64(at)).UTC())) {
			t.Errorf("%q after %d: %d", text, now, at)
		}
	})
}

func put(l *lab, name, recurring, expression string) string {
	_, code := do[Done](l, &PutRecurring{QueueName: name, Name: recurring, Cron: expression,
		Entry: SendEntry{MessageBody: []byte(recurring), DelaySeconds: -1, MessageGroupID: "g"}})
	return code
}

func TestRecurringMessagesRecur(t *testing.T) {
	for _, name := range []string{"q", "q.fifo"} {
		l := newLab()
		l.create(t, name, "FifoQueue", fmt.Sprint(strings.HasSuffix(name, ".fifo")))
		if code := put(l, name, "often", "* * * * *"); code != "" {
			t.Fatal(code)
		}
		put(l, name, "often", "*/2 * * * *") // instead
		l.pass(20 * minuteMillis)
		if l.counts(name) != "10 0 0" {
			t.Errorf("%s: after 20 minutes: %s", name, l.counts(name))
		}
		do[Done](l, &PurgeQueue{QueueName: name})
		l.time += 20 * minuteMillis // nobody leads: runs are missed
		l.wake = min(l.wake, Machine{}.Deadline(l.state))
		l.pass(0)
		if l.counts(name) != "1 0 0" {
			t.Errorf("%s: after a pause: %s", name, l.counts(name))
		}
		list, _ := ask[Recurrings](l, &ListRecurring{name})
		if len(list.Results) != 1 || list.Results[0].NextRun <= l.time || list.Results[0].Name != "often" {
			t.Errorf("the recurring messages are %+v", list.Results)
		}
		if _, code := do[Done](l, &DeleteRecurring{name, "often"}); code != "" {
			t.Error(code)
		}
		if _, code := do[Done](l, &DeleteRecurring{name, "often"}); code != CodeResourceNotFound {
			t.Errorf("deleted again: %q", code)
		}
		l.pass(20 * minuteMillis)
		if l.counts(name) != "1 0 0" {
			t.Errorf("%s: after it was deleted: %s", name, l.counts(name))
		}
		put(l, name, "often", "* * * * *")
		do[Done](l, &DeleteQueue{QueueName: name})
		l.pass(5 * dayMinutes * minuteMillis) // timers of what is gone run out by themselves
		l.state.live(func(key string, _ []byte) { t.Errorf("left: %q", key) })
	}
}

func TestRecurringMessagesHaveLimits(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	for i := range MaxRecurring {
		if code := put(l, "q", fmt.Sprint("r", i), "0 0 1 1 *"); code != "" {
			t.Fatal(code)
		}
	}
	if code := put(l, "q", "more", "0 0 1 1 *"); code != CodeOverLimit {
		t.Errorf("one more: %q", code)
	}
	if code := put(l, "q", "r5", "0 0 2 1 *"); code != "" {
		t.Errorf("one that is replaced: %q", code)
	}
	for name, c := range map[string]PutRecurring{
		"no name":         {Cron: "* * * * *"},
		"no cron":         {Name: "n", Cron: "now"},
		"never":           {Name: "n", Cron: "0 0 31 2 *"},
		"too many":        {Name: "n", Cron: "* * * * *", Offsets: make([]ZoneOffset, MaxZoneOffsets+1)},
		"offsets unequal": {Name: "n", Cron: "* * * * *", Offsets: []ZoneOffset{{5, 0}, {5, 0}}},
	} {
		c.QueueName, c.Entry = "q", SendEntry{MessageBody: []byte("x")}
		if _, code := do[Done](l, &c); code != CodeInvalidParameterValue {
			t.Errorf("%s: %q", name, code)
		}
	}
	if _, code := do[Done](l, &PutRecurring{QueueName: "q", Name: "n", Cron: "* * * * *"}); code != CodeMissingParameter {
		t.Errorf("without a body: %q", code)
	}
	if err := l.verify(); err != nil {
		t.Error(err)
	}
}

// TestRecurringMessagesWaitForRoom: what can not be stored when its time comes is sent once, soon after
// there is room again.
func TestRecurringMessagesWaitForRoom(t *testing.T) {
	l := newLab()
	l.create(t, "q")
	if code := put(l, "q", "often", "* * * * *"); code != "" {
		t.Fatal(code)
	}
	l.noRoom = true
	l.pass(3*minuteMillis + 30_000)
	if l.counts("q") != "0 0 0" {
		t.Errorf("without room: %s", l.counts("q"))
	}
	l.noRoom = false
	l.pass(recurAgainSeconds * 1000)
	if l.counts("q") != "1 0 0" {
		t.Errorf("soon after there was room: %s", l.counts("q"))
	}
	l.pass(2 * minuteMillis)
	if l.counts("q") != "3 0 0" {
		t.Errorf("two minutes later: %s", l.counts("q"))
	}
}
