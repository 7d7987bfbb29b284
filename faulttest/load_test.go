package faulttest

import (
	"testing"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/lab"
	"flotilla/scenario"

	"github.com/redis/go-redis/v9"
)

// load is the lab's, for tests.
type load struct {
	*lab.Load
	t *testing.T
}

// workload is a bit of everything. Keys are few, so that clients get into each
// other's way.
func workload(clients int) scenario.Workload {
	return scenario.Workload{
		Clients: clients, Think: scenario.Span{Least: 2, Most: 6}, Keys: 4, ValueBytes: scenario.Sizes{Least: 8, Most: 8},
		Load: []scenario.Part{
			{Operation: scenario.Set, Share: 20_00}, {Operation: scenario.Get, Share: 25_00}, {Operation: scenario.CAS, Share: 10_00},
			{Operation: scenario.Incr, Share: 15_00}, {Operation: scenario.SAdd, Share: 15_00}, {Operation: scenario.SMembers, Share: 3_00},
			{Operation: scenario.Once, Share: 12_00},
		},
		Reads: []scenario.Reading{{Level: flotilla.Linearizable, Share: scenario.Whole}},
	}
}

// startLoad has clients work until finish.
func startLoad(t *testing.T, addresses []string, clients int) *load {
	t.Helper()
	return &load{lab.StartLoad(lab.LoadOptions{Addresses: addresses, Workload: workload(clients), Seed: 7}), t}
}

func dial(address string) *redis.Client { return lab.Dial(address) }

// finish ends the load, reads every key once more from one node, and judges.
func (l *load) finish(address string) []check.Operation {
	l.t.Helper()
	l.Stop()
	history := l.Recorder.History()
	l.judge(l.readFinal(address))
	return history
}

// judge fails the test if the history, together with what is there at the end,
// can not be explained.
func (l *load) judge(final map[string]check.Final) {
	l.t.Helper()
	var result lab.Result
	began := time.Now()
	l.Judge(&result, final)
	if !result.OK() {
		l.t.Error(result.String())
		return
	}
	l.t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), result.String())
}

// readFinal reads each key of a history, as operations that are recorded too.
func (l *load) readFinal(address string) map[string]check.Final {
	l.t.Helper()
	final, faults := l.ReadFinal(l.t.Context(), address)
	for _, fault := range faults {
		l.t.Fatal(fault)
	}
	return final
}
