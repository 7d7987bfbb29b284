package faulttest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/labtest"
)

// TestDamagedFiles flips bits in one node's files while the fleet is down. The node
// must notice, say so, set its data aside and come back with new copies.
func TestDamagedFiles(t *testing.T) {
	f := startFleet(t)
	d := dataset{name: "kept", keys: 2000, minBytes: 2000, maxBytes: 4000}
	t.Run("state", func(t *testing.T) { damage(t, f, d, 2, "state", ".sst") })
	t.Run("log", func(t *testing.T) { damage(t, f, d, 3, "log", ".log") })
}

// damage flips bits in a node's files of a kind.
func damage(t *testing.T, f *fleet, d dataset, node flotilla.NodeID, store, suffix string) {
	f.T = t
	f.WaitReady("the fleet before")
	// Each start begins a new file of the log, and Ctrl-C writes the state: now both have all of this.
	d.load(t, f.Addresses(), 0, d.keys, 32)
	f.waitEqual(20 * time.Second)
	f.Stop()
	folder := filepath.Join(f.Dir, node.String())
	before := len(readLog(t, folder))
	flipBits(t, filepath.Join(folder, "data", store), suffix)
	f.Begin()

	// The others do not wait for it. Nobody has to read for the damage to be found,
	// but whoever reads from the damaged node must not be told what is wrong.
	addresses := f.Addresses()
	healthy := dial(others(addresses, node)[0])
	defer healthy.Close()
	labtest.Eventually(t, 20*time.Second, "the others to take writes", func() bool {
		return healthy.Set(context.Background(), "since", store, 0).Err() == nil
	}, func() string { return "" })
	d.verify(t, others(addresses, node), 0, d.keys, 1, false)
	labtest.Eventually(t, 30*time.Second, "the node to say that it sets its data aside", func() bool {
		readAll(t, d, addresses[node-1])
		return strings.Contains(string(readLog(t, folder)[before:]), "the data is damaged and is set aside")
	}, func() string { return string(readLog(t, folder)[before:]) })
	aside, err := filepath.Glob(filepath.Join(folder, "data", "quarantine-*", store))
	if err != nil || len(aside) == 0 {
		t.Errorf("nothing was set aside in %s: %v", folder, err)
	}
	f.WaitReady("the fleet after")
	f.waitEqual(30 * time.Second)
	d.verify(t, addresses[node-1:node], 0, d.keys, 1, true)
	d.verify(t, addresses, 0, d.keys, 1, false)
}

// readAll reads all keys from a node's own copy. It may be down, or say no, but what
// it answers must be right.
func readAll(t *testing.T, d dataset, address string) {
	t.Helper()
	ctx := context.Background()
	c := dial(address)
	defer c.Close()
	conn := c.Conn()
	defer conn.Close()
	if conn.ReadOnly(ctx).Err() != nil {
		return
	}
	for i := range d.keys {
		got, err := conn.Get(ctx, d.key(i)).Bytes()
		if err != nil {
			return
		}
		if !bytes.Equal(got, d.value(nil, i)) {
			t.Fatalf("%s: the damaged node answers with %d wrong bytes", d.key(i), len(got))
		}
	}
}

// flipBits flips a bit in every 4 KiB of the files of a kind.
func flipBits(t *testing.T, folder, suffix string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 2048; at < len(content); at += 4096 {
			if content[at] != 0 { // room that was allocated, but not written yet, is no data
				content[at] ^= 0x10
				flipped++
			}
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if flipped == 0 {
		t.Fatalf("no bit to flip in %s of %s", names, folder)
	}
	t.Logf("flipped %d bits in %d files of %s", flipped, len(names), folder)
}

// readLog returns what a node has printed.
func readLog(t *testing.T, folder string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "node.log"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
