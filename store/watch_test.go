package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"flotilla"
)

// exec carries out a MULTI body of one GET if the key still has the version, and
// says whether it did.
func (l *lab) exec(key string, version uint64) bool {
	reply := l.entry(EncodeExec(nil, []Watch{{Key: []byte(key), Version: version}}, [][][]byte{toBytes([]string{"DBSIZE"})}))[0]
	return reply[0] == '*'
}

// TestWatchFindsEveryChange watches a key, does something random, and has EXEC
// tell whether the key changed meanwhile: always if a command or its expiry changed
// it, whatever it was before and is now; else hardly ever.
func TestWatchFindsEveryChange(t *testing.T) {
	l, r := newLab(), rand.New(rand.NewPCG(9, 9))
	const key = "{t}a"
	changed, spurious, fromMissing := 0, 0, 0
	for step := range 20000 {
		wasMissing := l.do("EXISTS", key) == "0"
		version := l.watch(key)
		isTouched, isFlushed := false, false
		for range r.IntN(4) {
			before := l.watch(key)
			l.time += flotilla.Millis(r.IntN(4))
			args := cat(pick(r, "SET", "GETSET"), pick(r, key, "{t}b", "{t}c"), "v")
			switch r.IntN(6) {
			case 0, 1:
				args = cat("DEL", pick(r, key, "{t}b", "{t}c"))
			case 2:
				args = cat("SET", key, "v", "PX", "3")
			case 3:
				args = cat("RENAME", pick(r, key, "{t}b"), pick(r, key, "{t}b", "{t}c"))
			case 4:
				if isFlushed = r.IntN(50) == 0; isFlushed {
					args = cat("FLUSHALL")
				}
			}
			had := l.do("EXISTS", key) == "1" // an entry: what is due expires
			isTouched = isTouched || had != (before&isMissing == 0)
			l.events = nil
			l.do(args...)
			for _, event := range l.events {
				var class, name, touched string
				fmt.Sscan(event, &class, &name, &touched)
				isTouched = isTouched || touched == key
			}
			isTouched = isTouched || isFlushed && had
		}
		switch isDone := l.exec(key, version); {
		case isTouched && isDone:
			t.Fatalf("step %d: %s changed (missing before: %v), and EXEC did not see it", step, key, wasMissing)
		case isTouched:
			changed++
			if wasMissing {
				fromMissing++
			}
		case !isDone && !isFlushed:
			spurious++
		}
	}
	if changed < 1000 || fromMissing < 500 || spurious > 20 {
		t.Fatalf("%d changes, %d of them of a missing key, %d found where there was none", changed, fromMissing, spurious)
	}
}

// TestWatchOfWhatExpired: a key that is expired, but waits to be deleted, is as
// good as missing, and deleting it is no change.
func TestWatchOfWhatExpired(t *testing.T) {
	for _, isMadeAnew := range []bool{false, true} {
		l := newLab()
		for i := range maxExpiredPerEntry {
			l.do("SET", fmt.Sprint("before", i), "v", "PXAT", "1000001")
		}
		l.do("SET", "k", "v", "PXAT", "1000002")
		l.time += 10
		l.entry()
		it := newCall(l.state, nil, l.time, l.time).load([]byte("k"))
		version := l.watch("k")
		if it.storedKind != kindString || it.exists() || version&isMissing == 0 {
			t.Fatal("the key should wait to be deleted and count as missing")
		}
		if isMadeAnew {
			l.do("SET", "k", "v")
			l.do("DEL", "k")
		}
		for range 3 {
			l.entry()
		}
		if isDone := l.exec("k", version); isDone == isMadeAnew {
			t.Fatalf("made anew: %v, carried out: %v", isMadeAnew, isDone)
		}
	}
}

// TestGoneIsBounded: what the state remembers of keys that went does not grow with
// their number, and a FLUSHALL forgets it.
func TestGoneIsBounded(t *testing.T) {
	l := newLab()
	for i := range 3000 {
		key := fmt.Sprint("k", i%7)
		l.do("SET", key, "v")
		l.do("DEL", key)
	}
	if n := l.state.pairs.Len(); n > 7+1 {
		t.Fatalf("%d pairs are left of seven keys that went", n)
	}
	l.do("FLUSHALL")
	if n := l.state.pairs.Len(); n != 2 {
		t.Fatalf("%d pairs are left after FLUSHALL, which needs its version and the counters", n)
	}
}

// TestGoneNeverGoesBack: a bucket's version does not become that of an old record
// which expired after a younger one went.
func TestGoneNeverGoesBack(t *testing.T) {
	old, young := placeOf([]byte("old")), place{}
	for i := 0; young.hash>>16 != old.hash>>16; i++ {
		young = placeOf(fmt.Append(nil, "young", i))
	}
	l := newLab()
	l.do("SET", "old", "v", "PX", "5")
	l.do("SET", string(young.key), "v")
	l.do("DEL", string(young.key))
	before := l.watch(string(young.key))
	l.time += 5
	l.entry()
	if after := l.watch(string(young.key)); after != before {
		t.Fatalf("the bucket of both was at %x and is at %x", before, after)
	}
}
