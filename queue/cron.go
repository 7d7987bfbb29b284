package queue

import (
	"slices"
	"strconv"
	"strings"

	"flotilla"
)

// cron is a cron expression: minute, hour, day of the month, month, day of the week,
// each a bitmap. If both kinds of day are limited, either will do, as everywhere.
type cron struct {
	minutes, hours, days, months, weekdays uint64
	isAnyHour, isAnyDay, isAnyWeekday      bool
}

// ZoneOffset says that from a time on, in milliseconds since the epoch, a time zone's
// clocks are so many seconds ahead of UTC.
type ZoneOffset struct {
	From    flotilla.Millis
	Seconds int64
}

var monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

var weekdayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseCron reads five fields of numbers, names, ranges, lists and steps.
func parseCron(text string) (c cron, ok bool) {
	fields := strings.Fields(strings.ToLower(text))
	if len(fields) != 5 {
		return c, false
	}
	var oks [5]bool
	c.minutes, oks[0] = parseField(fields[0], 0, 59, nil)
	c.hours, oks[1] = parseField(fields[1], 0, 23, nil)
	c.days, oks[2] = parseField(fields[2], 1, 31, nil)
	c.months, oks[3] = parseField(fields[3], 1, 12, monthNames)
	c.weekdays, oks[4] = parseField(fields[4], 0, 7, weekdayNames)
	c.weekdays |= c.weekdays >> 7 & 1 // 7 is Sunday, too
	c.isAnyHour, c.isAnyDay, c.isAnyWeekday = fields[1][0] == '*', fields[2][0] == '*', fields[4][0] == '*'
	return c, !slices.Contains(oks[:], false)
}

// parseField reads one field: parts divided by commas, each a star, a number or a
// range, with a step perhaps.
func parseField(text string, least, most int, names []string) (set uint64, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, hasStep := strings.Cut(part, "/")
		step := 1
		if hasStep {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || n > most {
				return 0, false
			}
			step = n
		}
		from, to := least, most
		if span != "*" {
			first, last, isRange := strings.Cut(span, "-")
			if from, ok = parseNumber(first, least, names); !ok {
				return 0, false
			}
			switch {
			case isRange:
				if to, ok = parseNumber(last, least, names); !ok {
					return 0, false
				}
			case !hasStep:
				to = from
			}
		}
		if from < least || to > most || from > to {
			return 0, false
		}
		for n := from; n <= to; n += step {
			set |= 1 << n
		}
	}
	return set, set != 0
}

func parseNumber(text string, least int, names []string) (int, bool) {
	if i := slices.Index(names, text); i >= 0 {
		return i + least, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0
}

const (
	minuteMillis = 60_000
	dayMinutes   = 24 * 60
	// searchMinutes is how far ahead a next run is looked for: the 29th of February
	// may be eight years away.
	searchMinutes = 9 * 366 * dayMinutes
)

// next returns the first time after now that the expression means in a zone. Clocks
// that are put forward pass over local times: what was to run then runs when they
// are. Times that come twice count once, unless the expression says any hour.
func (c *cron) next(now flotilla.Millis, zone []ZoneOffset) (at flotilla.Millis, ok bool) {
	minute := int64(now)/minuteMillis + 1
	for end := minute + searchMinutes; minute < end; {
		span := offsetAt(zone, minute)
		if minute == span.from && span.before < span.offset && !c.isAnyHour && c.hasIn(minute+span.before, minute+span.offset) {
			return flotilla.Millis(minute * minuteMillis), true
		}
		isTwice := minute < span.from+span.before-span.offset && !c.isAnyHour
		local := minute + span.offset
		skip := c.skip(local)
		if skip == 0 && !isTwice {
			return flotilla.Millis(minute * minuteMillis), true
		}
		minute = min(minute+max(skip, 1), span.end)
	}
	return 0, false
}

// hasIn reports whether any of some local minutes is meant.
func (c *cron) hasIn(from, to int64) bool {
	for local := from; local < to; local++ {
		if c.skip(local) == 0 {
			return true
		}
	}
	return false
}

// skip returns 0 if a local minute, counted from the epoch, is meant; else how many
// minutes later the next day, hour or minute begins.
func (c *cron) skip(local int64) int64 {
	day, ofDay := local/dayMinutes, local%dayMinutes
	if ofDay < 0 {
		day, ofDay = day-1, ofDay+dayMinutes
	}
	switch {
	case !c.isDay(day):
		return dayMinutes - ofDay
	case c.hours>>(ofDay/60)&1 == 0:
		return 60 - ofDay%60
	case c.minutes>>(ofDay%60)&1 == 0:
		return 1
	}
	return 0
}

// isDay reports whether a day, counted from the epoch, is meant.
func (c *cron) isDay(day int64) bool {
	month, ofMonth := civil(day)
	isDay := c.days>>ofMonth&1 == 1
	isWeekday := c.weekdays>>(((day+4)%7+7)%7)&1 == 1 // the epoch was a Thursday
	if !c.isAnyDay && !c.isAnyWeekday {
		return c.months>>month&1 == 1 && (isDay || isWeekday)
	}
	return c.months>>month&1 == 1 && isDay && isWeekday
}

// civil returns the month and the day of the month of a day since the epoch (Howard
// Hinnant, "chrono-Compatible Low-Level Date Algorithms").
func civil(day int64) (month, ofMonth int64) {
	day += 719468
	era := day / 146097
	ofEra := day - era*146097
	year := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	shifted := (5*ofYear + 2) / 153
	ofMonth = ofYear - (153*shifted+2)/5 + 1
	return (shifted+2)%12 + 1, ofMonth
}

// span is a stretch of time with one offset, all in minutes.
type span struct{ from, end, offset, before int64 }

// offsetAt returns the stretch that a minute is in. The first offset also holds
// before its time.
func offsetAt(zone []ZoneOffset, minute int64) span {
	s := span{from: -1 << 60, end: 1 << 60}
	if len(zone) > 0 {
		s.offset = zone[0].Seconds / 60
	}
	s.before = s.offset
	for i, z := range zone {
		from := int64(z.From) / minuteMillis
		if from > minute {
			if i > 0 {
				s.end = from
			}
			break
		}
		s.from, s.before, s.offset = from, s.offset, z.Seconds/60
	}
	return s
}
