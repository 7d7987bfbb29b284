package sim

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"flotilla"
	"flotilla/check"
	"flotilla/store"
)

// told is what a client was told of one command.
type told struct {
	answer
	outcome check.Outcome
}

// ask sends some commands in one run, all reads or all changes, and writes down what
// came of each.
func (c *client) ask(all ...check.Operation) []check.Operation {
	done := make([]check.Operation, len(all))
	var answers []told
	var from func(i int)
	from = func(i int) { // all have begun before the first is sent
		if i == len(all) {
			answers = c.sendAll(all)
			return
		}
		all[i].Client = c.name
		done[i] = c.w.recorder.Do(all[i], func(o *check.Operation) {
			from(i + 1)
			if o.Outcome = answers[i].outcome; o.Outcome == check.Known {
				learn(o, answers[i].answer)
			}
		})
	}
	c.w.expiries.begin(c.w, all)
	from(0)
	c.w.expiries.ended(done)
	return done
}

func (c *client) sendAll(all []check.Operation) []told {
	c.session.Level = flotilla.Level(all[0].Level)
	return c.send(len(all), func(s *store.Session) error {
		for _, o := range all {
			args := c.wordsOf(o)
			if err := s.Add(store.Lookup(args[0]), args); err != nil {
				return err
			}
		}
		return nil
	})
}

// send sends the run of some commands that fill makes, and says what came of each.
func (c *client) send(commands int, fill func(s *store.Session) error) []told {
	s := c.session
	answers := make([]told, commands)
	if err := fill(s); err != nil {
		if flotilla.ReasonOf(err) == "" {
			c.w.fault("client %d may not ask: %v", c.name, err)
		}
		s.Reset()
		for i := range answers {
			answers[i].outcome = check.Refused
		}
		return answers
	}
	s.Do(context.Background())
	for i := range answers {
		raw, err := s.Reply(i)
		reply := string(raw)
		c.w.note('r', uint64(c.name), uint64(len(reply)), raw)
		answers[i].outcome = c.outcome(reply, err)
		if answers[i].outcome == check.Known {
			answers[i].answer, _ = readAnswer(reply)
		}
	}
	if c.session != nil {
		s.Reset()
	}
	return answers
}

// outcome says what a client knows after a reply or a failure.
func (c *client) outcome(reply string, err error) check.Outcome {
	switch {
	case err == nil && strings.HasPrefix(reply, "-OOM"):
		c.w.count("refused for want of room")
		return check.Refused
	case err == nil && (strings.HasPrefix(reply, "-") || strings.Contains(reply, "\r\n-")):
		c.w.fault("client %d was answered %q", c.name, reply)
		return check.Unknown
	case err == nil:
		return check.Known
	case errors.Is(err, flotilla.ErrRefused):
		c.w.count("refused: " + string(flotilla.ReasonOf(err)))
		return check.Refused
	}
	c.w.count("outcome unknown")
	if strings.Contains(err.Error(), "forgotten this node's session") {
		c.w.count("session expired")
	}
	return check.Unknown
}

// wordsOf returns the command that asks for an operation.
func (c *client) wordsOf(o check.Operation) [][]byte {
	var words []string
	switch o.Kind {
	case check.Read, check.Count:
		words = []string{"get", o.Key}
	case check.Write:
		words = []string{"set", o.Key, c.long(o.Value)}
		if isPassing(o.Key) {
			words = append(words, "px", strconv.FormatInt(int64(lifeOf(o.Value)), 10))
		}
	case check.Delete:
		words = []string{"del", o.Key}
	case check.Add:
		words = []string{"incrby", o.Key, strconv.FormatInt(o.Number, 10)}
	case check.Insert:
		words = []string{"sadd", o.Key, c.member(o.Value)}
	case check.Remove:
		words = []string{"srem", o.Key, c.member(o.Value)}
	case check.Members:
		words = []string{"smembers", o.Key}
	case check.PushLeft:
		words = []string{"lpush", o.Key, c.long(o.Value)}
	case check.PushRight:
		words = []string{"rpush", o.Key, c.long(o.Value)}
	case check.PopLeft:
		words = []string{"lpop", o.Key}
	case check.PopRight:
		words = []string{"rpop", o.Key}
	case check.Range:
		words = []string{"lrange", o.Key, strconv.FormatInt(o.From, 10), strconv.FormatInt(o.To, 10)}
	case check.Length:
		words = []string{"llen", o.Key}
	}
	return bytesOf(words...)
}

// learn fills an operation with what was answered.
func learn(o *check.Operation, a answer) {
	switch o.Kind {
	case check.Read, check.PopLeft, check.PopRight:
		o.Found = a.kind == '$'
		if o.Found || o.Kind != check.Read {
			o.Value = shorten(a.text)
		}
	case check.Count, check.Add, check.PushLeft, check.PushRight, check.Length:
		o.Total = a.number()
	case check.Insert, check.Remove, check.Delete:
		o.Changed = a.number() == 1
	case check.Members, check.Range:
		for _, item := range a.items {
			o.Values = append(o.Values, shorten(item.text))
		}
	}
}
