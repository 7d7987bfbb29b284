package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/labtest"

	"github.com/redis/go-redis/v9"
)

// smallDisk is the size of the file system that one node gets.
const smallDisk = 320 << 20

// TestFullDisk lets clients fill one node's disk. Writes are refused before it is
// full; reads and deletes go on; nothing breaks, and when there is room again,
// writes are taken again.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	f := startFleet(t)
	const node = flotilla.NodeID(2)
	f.Stop()
	folder := f.moveToSmallDisk(node)
	f.Begin()
	t.Cleanup(func() { // before the small disk goes: it is in use until then
		if f.Process != nil {
			f.Stop()
		}
	})
	f.WaitReady("the fleet with a small disk")
	starts := f.starts()
	addresses := f.Addresses()
	c := dial(addresses[0])
	defer c.Close()
	ctx := context.Background()

	// Room for the test's data is taken by a file: what is left runs out sooner.
	filler := filepath.Join(folder, "filler")
	fill(t, filler, freeBytes(t, folder)-(64<<20)-(48<<20))
	d := dataset{name: "fill", keys: 1 << 20, minBytes: 32 << 10, maxBytes: 64 << 10}
	acknowledged := d.fillUp(t, addresses)
	left := freeBytes(t, folder)
	t.Logf("writes were refused after %d were taken, %d MiB of %d MiB were free", len(acknowledged), left>>20, smallDisk>>20)
	if left < 4<<20 {
		t.Errorf("writes were refused when %d MiB were left: deletes and the log need room, too", left>>20)
	}

	check := func(keys []int) {
		t.Helper()
		for _, i := range keys {
			if got, err := c.Get(ctx, d.key(i)).Result(); err != nil || got != string(d.value(nil, i)) {
				t.Fatalf("%s was acknowledged, but is there with %d bytes, error %v", d.key(i), len(got), err)
			}
		}
	}
	check(acknowledged)
	gone, kept := acknowledged[:len(acknowledged)/2], acknowledged[len(acknowledged)/2:]
	for _, i := range gone {
		if n, err := c.Del(ctx, d.key(i)).Result(); n != 1 || err != nil {
			t.Fatalf("DEL on a full disk: %d, %v", n, err)
		}
	}
	if err := c.Set(ctx, "more", strings.Repeat("x", 1000), 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "OOM ") {
		t.Errorf("a write while the disk is still full is answered with %v", err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	var err error
	labtest.Eventually(t, 20*time.Second, "writes to be taken again", func() bool {
		err = c.Set(ctx, "more", "room", 0).Err()
		return err == nil
	}, func() string { return fmt.Sprint(err) })
	check(kept)
	for _, i := range gone {
		if err := c.Get(ctx, d.key(i)).Err(); !errors.Is(err, redis.Nil) {
			t.Errorf("%s was deleted, but a read gives %v", d.key(i), err)
		}
	}
	f.waitEqual(20 * time.Second)
	if now := f.starts(); now != starts {
		t.Errorf("nodes were started %s times, before the disk was full %s: one of them died", now, starts)
	}
}

// fillUp writes until a write is refused for want of room, and returns the keys
// that were acknowledged. Any other error fails the test.
func (d dataset) fillUp(t *testing.T, addresses []string) (acknowledged []int) {
	t.Helper()
	var mu sync.Mutex // guards acknowledged and next
	var all sync.WaitGroup
	next := 0
	for w := range workers {
		all.Go(func() {
			c := dial(addresses[w%len(addresses)])
			defer c.Close()
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				err := c.Set(context.Background(), d.key(i), d.value(nil, i), 0).Err()
				if err != nil {
					if !strings.HasPrefix(err.Error(), "OOM ") {
						t.Errorf("a write to a disk that gets full is answered with %v", err)
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, i)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return acknowledged
}

// moveToSmallDisk mounts a small file system where a node has its data, and moves
// the data onto it. It returns the folder.
func (f *fleet) moveToSmallDisk(node flotilla.NodeID) string {
	f.T.Helper()
	folder := filepath.Join(f.Dir, node.String(), "data")
	old := folder + ".old"
	if err := errors.Join(os.Rename(folder, old), os.Mkdir(folder, 0o700)); err != nil {
		f.T.Fatal(err)
	}
	if err := syscall.Mount("flotilla-test", folder, "tmpfs", 0, fmt.Sprintf("size=%d", smallDisk)); err != nil {
		f.T.Skipf("needs the right to mount a small file system: %v", err)
	}
	f.T.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			f.T.Errorf("unmount %s: %v", folder, err)
		}
	})
	if err := errors.Join(os.Remove(filepath.Join(old, "ballast")), os.CopyFS(folder, os.DirFS(old))); err != nil {
		f.T.Fatal(err)
	}
	return folder
}

// starts says how often each node's process was started.
func (f *fleet) starts() string {
	f.T.Helper()
	o := f.Status()
	var all []int
	for _, n := range o.Nodes {
		all = append(all, n.Starts)
	}
	return fmt.Sprint(all)
}

func freeBytes(t *testing.T, folder string) int64 {
	t.Helper()
	var usage syscall.Statfs_t
	if err := syscall.Statfs(folder, &usage); err != nil {
		t.Fatal(err)
	}
	return int64(usage.Bavail) * usage.Bsize
}

// fill writes a file of so many bytes.
func fill(t *testing.T, name string, bytes int64) {
	t.Helper()
	if err := os.WriteFile(name, make([]byte, bytes), 0o600); err != nil {
		t.Fatal(err)
	}
}
