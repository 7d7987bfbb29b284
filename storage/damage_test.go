package storage

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/conformance"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// quietOptions lets a disk fail without failing the test.
func quietOptions(fs vfs.FS) Options {
	return Options{FS: fs, BallastBytes: -1, Exit: func(error) {}}
}

// loaded returns a file system with a node that was cut off, and what it holds:
// entries in the WAL and in an SST of the log, a state in an SST.
func loaded(t *testing.T, percent int) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	random := newRand(1)
	d := mustOpen(t, "node", testOptions(t, fs))
	must(t, d.Create(consensus.Replica{Group: 1, ID: 5}, []consensus.KeyValue{{Key: []byte("a"), Value: []byte("0")}}))
	for i := uint64(2); i <= 60; i++ {
		must(t, d.Append([]consensus.Write{{Group: 1, HardState: conformance.Hard(1, 1, i-1), Entries: conformance.Entries(1, i, i)}}))
		s := d.State(1)
		value := make([]byte, 50*i)
		for j := range value {
			value[j] = byte(random.Uint32()) // does not shrink: several blocks
		}
		s.Set(fmt.Appendf(nil, "k%02d", i), value)
		if i == 40 { // it lies in a file of values
			s.Set([]byte("large"), bytes.Repeat(value, largeValueBytes/len(value)+1))
		}
		s.Commit(consensus.Mark{Index: i, Term: 1})
		if i == 30 {
			d.Flush()
			must(t, d.log.Flush())
		}
	}
	d.Flush()
	return crash(d, fs, percent)
}

// contents reads everything that a node holds.
func contents(d *Disk) (text string, err error) {
	for _, r := range d.Groups() {
		l := d.Log(r.Group)
		first, _ := l.FirstIndex()
		last, _ := l.LastIndex()
		entries, err := l.Entries(first, last+1, 1<<62)
		if err != nil {
			return "", err
		}
		hard, _, _ := l.InitialState()
		text += fmt.Sprintf("%v\nhard %d %d %d\n", r, hard.GetTerm(), hard.GetVote(), hard.GetCommit())
		for _, e := range entries {
			text += fmt.Sprintf("%d %d %s\n", e.GetIndex(), e.GetTerm(), e.Data)
		}
		text += stateText(d.State(r.Group).Mark().Index, scanned(d.State(r.Group), nil, nil, false))
		if err := d.State(r.Group).Err(); err != nil {
			return "", err
		}
	}
	return text, nil
}

// stateText is a state's contents as of an index, with the keys up to it.
func stateText(index uint64, pairs string) string {
	return fmt.Sprintf("state %d %s", index, pairs)
}

// isOlder reports whether got is want with a state as of an earlier flush. A MANIFEST
// that lost its end leads back to one, as a crash before the flush would: the entries
// since then are in the log, and will be applied again.
func isOlder(got, want string) bool {
	gotLog, gotState, _ := strings.Cut(got, "state ")
	wantLog, wantState, _ := strings.Cut(want, "state ")
	index, gotPairs, _ := strings.Cut(gotState, " ")
	_, wantPairs, _ := strings.Cut(wantState, " ")
	n, err := strconv.Atoi(index)
	first := fmt.Sprintf("\n%d 1 1.%d\n", n+1, n+1)
	return err == nil && gotLog == wantLog && strings.Contains(gotLog, first) &&
		strings.HasPrefix(wantPairs, gotPairs) && strings.Count(gotPairs, "=\"") == n
}

// allFiles lists the files of both stores.
func allFiles(t *testing.T, fs *vfs.MemFS) (names []string) {
	t.Helper()
	for _, store := range []string{"node/log", "node/state"} {
		list, err := fs.List(store)
		must(t, err)
		for _, name := range list {
			names = append(names, store+"/"+name)
		}
	}
	slices.Sort(names)
	return names
}

// Whatever bit flips wherever: the node comes back with all that it had, or says
// that it is damaged. It never comes back with less, or with something else.
func TestFlippedBitsNeverInventOrLoseData(t *testing.T) {
	for _, percent := range []int{0, 100} {
		testFlippedBits(t, loaded(t, percent))
	}
}

func testFlippedBits(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	d := mustOpen(t, "node", quietOptions(fs.CrashClone(vfs.CrashCloneCfg{})))
	want, err := contents(d)
	must(t, err)
	must(t, d.Close())
	if !strings.Contains(want, "60 1 1.60") || !strings.Contains(want, "k60") {
		t.Fatal(want)
	}
	found := map[string]int{}
	for _, name := range allFiles(t, fs) {
		buffer, err := fs.UnsafeGetFileDataBuffer(name)
		must(t, err)
		for i := range min(25, len(buffer)) {
			at := i * len(buffer) / min(25, len(buffer))
			if flipped(t, fs, name, at, want) {
				found[kindOf(name)]++
			}
		}
	}
	t.Log("found:", found)
	for _, kind := range []string{"log", "sst", "MANIFEST"} {
		if found[kind] == 0 {
			t.Errorf("no damage to a %s was found", kind)
		}
	}
}

func kindOf(name string) string {
	base := name[strings.LastIndex(name, "/")+1:]
	if at := strings.LastIndex(base, "."); at >= 0 && !strings.HasPrefix(base, "marker") {
		return base[at+1:]
	}
	kind, _, _ := strings.Cut(base, "-")
	return kind
}

func flipped(t *testing.T, fs *vfs.MemFS, name string, at int, want string) (isFound bool) {
	t.Helper()
	fs = fs.CrashClone(vfs.CrashCloneCfg{})
	buffer, err := fs.UnsafeGetFileDataBuffer(name)
	must(t, err)
	buffer[at] ^= 0x10
	d, err := Open("node", quietOptions(fs))
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return true
	}
	if err != nil {
		t.Fatalf("%s byte %d: %v", name, at, err)
	}
	defer func() { _ = d.Close() }()
	got, err := contents(d)
	if err != nil {
		if d.Damage() == nil {
			t.Fatalf("%s byte %d: %v, but no damage noted", name, at, err)
		}
		return true
	}
	if got != want && !isOlder(got, want) {
		t.Fatalf("%s byte %d: silently different:\n%.500q", name, at, got)
	}
	return false
}

// newestWAL returns the name of the log store's last WAL file.
func newestWAL(t *testing.T, fs *vfs.MemFS) (newest string) {
	t.Helper()
	for _, name := range allFiles(t, fs) {
		if strings.HasPrefix(name, "node/log/") && strings.HasSuffix(name, ".log") {
			newest = name
		}
	}
	return newest
}

// A lost tail looks like a log that ended earlier: only the side file knows.
func TestLostTailIsFound(t *testing.T) {
	for i, kept := range []string{"half", "none", "no file", "half", "none", "no file"} {
		fs := loaded(t, 100*(i/3)) // without what the side file was told last, and with it
		name := newestWAL(t, fs)
		buffer, err := fs.UnsafeGetFileDataBuffer(name)
		must(t, err)
		switch kept {
		case "half":
			clear(buffer[len(buffer)/2:])
		case "none":
			clear(buffer)
		case "no file":
			must(t, fs.Remove(name))
		}
		_, err = Open("node", quietOptions(fs))
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("%s: %v", kept, err)
		}
	}
}

func TestMissingStoreIsFound(t *testing.T) {
	for _, name := range []string{"log", "state"} {
		fs := loaded(t, 100)
		must(t, fs.RemoveAll("node/"+name))
		_, err := Open("node", quietOptions(fs))
		var damaged *DamagedError
		if !errors.As(err, &damaged) {
			t.Errorf("%s removed: %v", name, err)
		}
	}
}

// Damage that is met while running is remembered, set aside, and the node can come
// back under new ids.
func TestQuarantine(t *testing.T) {
	fs := loaded(t, 100)
	d := mustOpen(t, "node", quietOptions(fs))
	for _, name := range allFiles(t, fs) {
		if strings.HasPrefix(name, "node/state/") && strings.HasSuffix(name, ".sst") {
			buffer, err := fs.UnsafeGetFileDataBuffer(name)
			must(t, err)
			for i := len(buffer) / 4; i < len(buffer)*3/4; i++ {
				buffer[i] ^= 0xff
			}
		}
	}
	if _, ok := d.State(1).Get([]byte("k40")); ok {
		t.Fatal("read from a damaged file")
	}
	if d.State(1).Err() == nil || d.Damage() == nil {
		t.Fatal("no error")
	}
	_ = d.Close() // its error is the damage
	var damaged *DamagedError
	if _, err := Open("node", quietOptions(fs)); !errors.As(err, &damaged) {
		t.Fatalf("opened again: %v", err)
	}
	lost, err := Quarantine("node", quietOptions(fs))
	must(t, err)
	want := []consensus.Replica{{Group: 1, ID: 5}}
	if !slices.Equal(lost, want) {
		t.Fatalf("lost %v", lost)
	}
	fs = fs.CrashClone(vfs.CrashCloneCfg{})
	d = mustOpen(t, "node", testOptions(t, fs))
	if len(d.Groups()) != 0 || !slices.Equal(d.Lost(), want) {
		t.Fatalf("groups %v, lost %v", d.Groups(), d.Lost())
	}
	must(t, d.Create(consensus.Replica{Group: 1, ID: 6}, nil))
	must(t, d.ForgetLost(1))
	fs = crash(d, fs, 0)
	d = mustOpen(t, "node", testOptions(t, fs))
	if len(d.Groups()) != 1 || len(d.Lost()) != 0 {
		t.Fatalf("groups %v, lost %v", d.Groups(), d.Lost())
	}
	must(t, d.Close())
	if _, err := fs.Stat("node/quarantine-1/state"); err != nil {
		t.Fatal(err)
	}
}

// A quarantine that is cut off at any of its steps is not mistaken for an empty node.
func TestQuarantineSurvivesCrashes(t *testing.T) {
	for moved := range 4 {
		fs := loaded(t, 100)
		must(t, writeFile(fs, "node/lost", formatReplicas([]consensus.Replica{{Group: 1, ID: 5}})))
		must(t, fs.MkdirAll("node/quarantine-1", 0o755))
		for _, name := range []string{stateName, logName, tailName}[:moved] {
			must(t, fs.Rename("node/"+name, "node/quarantine-1/"+name))
		}
		var damaged *DamagedError
		if _, err := Open("node", quietOptions(fs)); !errors.As(err, &damaged) {
			t.Fatalf("%d moved: %v", moved, err)
		}
		lost, err := Quarantine("node", quietOptions(fs))
		must(t, err)
		d := mustOpen(t, "node", testOptions(t, fs))
		if len(lost) != 1 || len(d.Lost()) != 1 || len(d.Groups()) != 0 {
			t.Fatalf("%d moved: %v, %v, %v", moved, lost, d.Lost(), d.Groups())
		}
		must(t, d.Close())
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	d := mustOpen(t, dir, testOptions(t, nil))
	if _, err := Open(dir, testOptions(t, nil)); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Fatalf("second open: %v", err)
	}
	must(t, d.Close())
}

func TestReplicasFile(t *testing.T) {
	want := []consensus.Replica{{Group: 0, ID: 1}, {Group: 70000, ID: 1 << 60}}
	text := formatReplicas(want)
	got, err := parseReplicas(text)
	must(t, err)
	if !slices.Equal(got, want) {
		t.Fatal(got)
	}
	for i := range text {
		damaged := slices.Clone(text)
		damaged[i] ^= 1
		if _, err := parseReplicas(damaged); err == nil {
			t.Fatalf("byte %d", i)
		}
	}
}

func FuzzParseReplicas(f *testing.F) {
	f.Add(formatReplicas([]consensus.Replica{{Group: 1, ID: 2}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if replicas, err := parseReplicas(text); err == nil {
			if again, err := parseReplicas(formatReplicas(replicas)); err != nil || !slices.Equal(again, replicas) {
				t.Fatalf("%v %v", again, err)
			}
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	e := conformance.Entries(3, 9, 9)[0]
	key := appendEntryKey(nil, 1, 9)
	value := make([]byte, entryValueBytes(e))
	putEntry(key, value, e)
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		// Past the checksum, where a fuzzer can not get by itself.
		if len(value) >= 4 {
			seal(key, value)
		}
		if e, err := parseEntry(key, value, 9); err == nil && (e.GetIndex() != 9 || len(e.Data) > len(value)) {
			t.Fatal(e)
		}
	})
}

var _ flotilla.Reader = (*groupState)(nil)
