package check

import (
	"sync"
	"testing"
)

func TestRecorderTakesClientsSideBySide(t *testing.T) {
	var clock int64
	var mu sync.Mutex
	recorder := NewRecorder(func() int64 {
		mu.Lock()
		defer mu.Unlock()
		clock++
		return clock
	})
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for range 50 {
				recorder.Do(Operation{Client: client, Key: "k", Kind: Write}, func(o *Operation) { o.Outcome = Known })
			}
			recorder.Do(Operation{Client: client, Key: "k", Kind: Write}, func(*Operation) {})
		})
	}
	clients.Wait()
	history := recorder.History()
	unknown := 0
	for i, o := range history {
		if o.End <= o.Begin || i > 0 && o.Begin <= history[i-1].Begin {
			t.Fatalf("operation %d: %+v", i, o)
		}
		if o.Outcome == Unknown {
			unknown++
		}
	}
	if len(history) != 204 || unknown != 4 {
		t.Fatalf("%d operations, %d unknown", len(history), unknown)
	}
}

func TestRecorderKeepsTheOrderWhenTimeStandsStill(t *testing.T) {
	r := NewRecorder(func() int64 { return 7 })
	r.Do(Operation{Kind: Write, Value: "a"}, func(o *Operation) {
		r.Do(Operation{Kind: Read}, func(o *Operation) { o.Outcome = Known })
		if history := r.History(); len(history) != 2 || history[0].Outcome != Unknown || history[1].Outcome != Known {
			t.Errorf("while a write is under way, %+v", history)
		}
		o.Outcome = Known
	})
	last := r.Do(Operation{Kind: Read}, func(o *Operation) { o.Outcome = Known })
	history := r.History()
	outer, inner := history[0], history[1]
	isNested := outer.Begin < inner.Begin && inner.Begin < inner.End && inner.End < outer.End
	if !isNested || outer.Outcome != Known || last.Begin <= outer.End || last.Begin != history[2].Begin {
		t.Errorf("%+v", history)
	}
}
