package transport

import (
	"context"
	"errors"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"flotilla"
)

func writeZeros(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		part := make([]byte, 64<<10)
		for left := n; left > 0; left -= len(part) {
			if _, err := w.Write(part[:min(left, len(part))]); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestLargeSnapshotInBoundedMemory(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	const size, mostMemory = 100 << 20, 24 << 20
	table := crc64.MakeTable(crc64.ECMA)
	var peak atomic.Uint64
	var received int64
	sum := crc64.New(table)
	b.onSnapshot = func(_ context.Context, _ flotilla.NodeID, _ []byte, body io.Reader) error {
		var memory runtime.MemStats
		part := make([]byte, 1<<20)
		for {
			n, err := io.ReadFull(body, part)
			sum.Write(part[:n])
			received += int64(n)
			// A slow reader: everything that the sender can push has time to gather.
			runtime.GC()
			runtime.ReadMemStats(&memory)
			peak.Store(max(peak.Load(), memory.HeapAlloc))
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	source := crc64.New(table)
	random := rand.NewChaCha8([32]byte{})
	err := a.SendSnapshot(t.Context(), 2, []byte("header"), func(w io.Writer) error {
		_, err := io.CopyN(io.MultiWriter(w, source), random, size)
		return err
	})
	if err != nil || received != size || sum.Sum64() != source.Sum64() {
		t.Fatalf("err %v, %d bytes, sums equal: %v", err, received, sum.Sum64() == source.Sum64())
	}
	if used := peak.Load() - before.HeapAlloc; int64(used) > mostMemory {
		t.Errorf("both ends together held %d MB", used>>20)
	}
	if s := b.statsOf(1); s.SnapshotsIn != 1 || s.SnapshotBytesIn != size {
		t.Errorf("%+v", s)
	}
}

func TestThirdSnapshotIsTurnedAway(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	release := make(chan struct{})
	begun := make(chan struct{}, maxIncomingSnapshots)
	b.onSnapshot = func(context.Context, flotilla.NodeID, []byte, io.Reader) error {
		begun <- struct{}{}
		<-release
		return nil
	}
	results := make(chan error, maxIncomingSnapshots)
	for range maxIncomingSnapshots {
		go func() { results <- a.SendSnapshot(context.Background(), 2, nil, writeZeros(10)) }()
		<-begun
	}
	err := a.SendSnapshot(t.Context(), 2, nil, writeZeros(10))
	if flotilla.ReasonOf(err) != flotilla.Busy || !errors.Is(err, flotilla.ErrRefused) {
		t.Errorf("err %v", err)
	}
	// Frames do not wait for snapshots.
	a.Send(2, []byte("meanwhile"))
	eventually(t, "a frame", func() bool { return len(b.from(1)) == 1 })
	close(release)
	for range maxIncomingSnapshots {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestSnapshotRate(t *testing.T) {
	options := basicOptions(1)
	options.SnapshotBytesPerSecond = 8 << 20
	a, b := pair(t, options, basicOptions(2))
	b.onSnapshot = func(_ context.Context, _ flotilla.NodeID, _ []byte, body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		return err
	}
	began := time.Now()
	if err := a.SendSnapshot(t.Context(), 2, nil, writeZeros(2<<20)); err != nil {
		t.Fatal(err)
	}
	if passed := time.Since(began); passed < 200*time.Millisecond {
		t.Errorf("2 MiB at 8 MiB/s took %v", passed)
	}
}

func TestSnapshotEndsWithItsContext(t *testing.T) {
	a, b := pair(t, basicOptions(1), basicOptions(2))
	ctx, cancel := context.WithCancel(t.Context())
	broken := make(chan error, 1)
	b.onSnapshot = func(_ context.Context, _ flotilla.NodeID, _ []byte, body io.Reader) error {
		cancel()
		_, err := io.Copy(io.Discard, body)
		broken <- err
		return err
	}
	err := a.SendSnapshot(ctx, 2, nil, func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	})
	if err == nil {
		t.Error("it was taken")
	}
	if err := <-broken; err == nil {
		t.Error("the receiver saw a whole body")
	}
}

func TestSnapshotToNobody(t *testing.T) {
	a := startNode(t, basicOptions(1), newRecorder())
	a.SetPeers(map[flotilla.NodeID]string{2: "127.0.0.1:1"})
	if err := a.SendSnapshot(t.Context(), 2, nil, writeZeros(10)); err == nil {
		t.Error("it was sent")
	}
	if s := a.statsOf(2); s.SnapshotsFailed != 1 {
		t.Errorf("%+v", s)
	}
}
