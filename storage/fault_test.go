package storage

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flotilla/consensus"
	"flotilla/storage/conformance"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A failed write or fsync of the log is final: it is reported, and nothing is
// acknowledged afterwards, not even when the disk works again.
func TestFailedWriteIsFinal(t *testing.T) {
	for name, kind := range map[string]errorfs.OpKind{"write": errorfs.OpFileWriteAt, "sync": errorfs.OpFileSyncData} {
		var isBroken atomic.Bool
		var exits atomic.Int64
		mem := vfs.NewCrashableMem()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if isBroken.Load() && (op.Kind == kind || kind == errorfs.OpFileSyncData && op.Kind == errorfs.OpFileSync) {
				return syscall.EIO
			}
			return nil
		}))
		opts := quietOptions(fs)
		opts.Exit = func(error) { exits.Add(1) }
		d := mustOpen(t, "node", opts)
		must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
		must(t, d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 1, 1)}}))
		isBroken.Store(true)
		if err := d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 2, 2)}}); err == nil {
			t.Fatalf("%s: acknowledged", name)
		}
		isBroken.Store(false)
		if err := d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 2, 2)}}); err == nil {
			t.Fatalf("%s: acknowledged after a failure", name)
		}
		if exits.Load() != 1 {
			t.Fatalf("%s: exit was called %d times", name, exits.Load())
		}
		left := mem.CrashClone(vfs.CrashCloneCfg{})
		_ = d.Close() // it has failed
		d = mustOpen(t, "node", testOptions(t, left))
		if last, _ := d.Log(1).LastIndex(); last < 1 {
			t.Fatalf("%s: the log ends at %d", name, last)
		}
		must(t, d.Close())
	}
}

// On a full disk the ballast is given back, and the write that failed goes through.
func TestFullDiskGivesTheBallastBack(t *testing.T) {
	var hasBallast atomic.Bool
	var fs vfs.FS
	mem := vfs.NewCrashableMem()
	var isFull atomic.Bool
	fs = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove && op.Path == "node/ballast" {
			hasBallast.Store(false)
		}
		if isFull.Load() && hasBallast.Load() && op.Kind == errorfs.OpFileWriteAt {
			return syscall.ENOSPC
		}
		return nil
	}))
	opts := testOptions(t, fs)
	opts.BallastBytes = 1 << 20
	opts.FreeBytes = func() uint64 { return 1 << 40 }
	d := mustOpen(t, "node", opts)
	info, err := mem.Stat("node/ballast")
	must(t, err)
	if info.Size() != 1<<20 {
		t.Fatal(info.Size())
	}
	hasBallast.Store(true)
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	if !d.Room() {
		t.Fatal("no room at first")
	}
	isFull.Store(true)
	must(t, d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, 1, 1)}}))
	if d.Room() {
		t.Fatal("room after the disk was full")
	}
	if _, err := mem.Stat("node/ballast"); err == nil {
		t.Fatal("the ballast is still there")
	}
	must(t, d.Close())
}

func TestRoom(t *testing.T) {
	free := uint64(1 << 30)
	opts := testOptions(t, vfs.NewCrashableMem())
	opts.Synchronous = true
	opts.FreeBytes = func() uint64 { return free }
	d := mustOpen(t, "node", opts)
	for _, test := range []struct {
		free uint64
		want bool
	}{{1 << 30, true}, {63 << 20, false}, {65 << 20, true}} {
		free = test.free
		if d.Room() != test.want {
			t.Errorf("%d bytes free: room %v", test.free, !test.want)
		}
	}
	must(t, d.Close())
}

// Power cuts during appends, at whatever moment: all that was acknowledged is there.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	fs := vfs.NewCrashableMem()
	opts := testOptions(t, fs)
	opts.DirtyBytes = 20 << 10
	d := mustOpen(t, "node", opts)
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	random := newRand(7)
	for range 12 {
		var acknowledged atomic.Uint64
		cutAt := 5 + random.Uint64N(60)
		left := make(chan *vfs.MemFS, 1)
		start, _ := d.Log(1).LastIndex()
		done := make(chan struct{})
		go func() { // the power goes out beside the writer, not between its calls
			defer close(done)
			for acknowledged.Load() < start+cutAt {
				runtime.Gosched()
			}
			left <- fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(100 * random.Uint64N(2)), RNG: newRand(1)})
		}()
		for i := start + 1; len(left) == 0; i++ {
			must(t, d.Append([]consensus.Write{{Group: 1, Entries: conformance.Entries(1, i, i)}}))
			acknowledged.Store(i)
			s := d.State(1)
			s.Set([]byte{byte(i)}, make([]byte, 500))
			s.Commit(consensus.Mark{Index: i, Term: 1})
		}
		<-done
		fs = <-left
		_ = d.Close()
		opts.FS = fs
		d = mustOpen(t, "node", opts)
		last, _ := d.Log(1).LastIndex()
		if last < start+cutAt {
			t.Fatalf("acknowledged %d, came back with %d", start+cutAt, last)
		}
	}
	must(t, d.Close())
}

// An old change is flushed even if nothing else happens.
func TestFlushByAge(t *testing.T) {
	opts := testOptions(t, vfs.NewCrashableMem())
	opts.FlushAge = 10 * time.Millisecond
	d := mustOpen(t, "node", opts)
	must(t, d.Create(consensus.Replica{Group: 1, ID: 1}, nil))
	s := d.State(1)
	s.Set([]byte("a"), []byte("1"))
	s.Commit(consensus.Mark{Index: 1, Term: 1})
	for deadline := time.Now().Add(10 * time.Second); s.Durable() < 1 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if s.Durable() < 1 {
		t.Fatal("still not durable")
	}
	must(t, d.Close())
}
