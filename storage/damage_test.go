package storage

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage/conformance"
	"flotilla/storage/wal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// quietOptions lets a disk fail without failing the test.
func quietOptions(fs vfs.FS) Options {
	return Options{FS: fs, BallastBytes: -1, Exit: func(error) {}}
}

// loaded returns a file system with a node that was cut off, and what it holds:
// a log of several segments, a state in an SST.
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
	for _, name := range []string{"node/tail", "node/flushes"} { // of two slots one is enough
		buffer, err := fs.UnsafeGetFileDataBuffer(name)
		must(t, err)
		for at := 0; at < len(buffer); at += 19 {
			if flipped(t, fs, name, at, want) {
				t.Errorf("%s byte %d: called damaged, but nothing is lost", name, at)
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
	if got != want {
		t.Fatalf("%s byte %d: silently different:\n%.500q", name, at, got)
	}
	return false
}

// TestNoBitOfAManifestMakesAMixture flips bits of manifests of several lives and goes on: the
// states must become what they would have without. A manifest that loses its end leaves tables of
// later flushes, which come back into view as writes go on.
func TestNoBitOfAManifestMakesAMixture(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, "node", testOptions(t, fs))
	must(t, d.Create(consensus.Replica{Group: 1, ID: 5}, nil))
	index := writeOn(t, d, 1)
	found := map[string]int{}
	for life := range 4 {
		fs = crash(d, fs, 100*(life%2))
		d = mustOpen(t, "node", testOptions(t, fs))
		applyAll(d, index)
		index = writeOn(t, d, index)
		d.Flush()
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(1)})
		want := goOn(t, crashed.CrashClone(vfs.CrashCloneCfg{}), index)
		for _, name := range allFiles(t, crashed) {
			if kindOf(name) != "MANIFEST" {
				continue
			}
			buffer, err := crashed.UnsafeGetFileDataBuffer(name)
			must(t, err)
			for at := 0; at < len(buffer); at += 3 {
				damaged := crashed.CrashClone(vfs.CrashCloneCfg{})
				buffer, err := damaged.UnsafeGetFileDataBuffer(name)
				must(t, err)
				buffer[at] ^= 1 << (at % 8)
				got := goOn(t, damaged, index)
				found[got[:min(len(got), 7)]]++
				if got != want && got != "damaged" {
					t.Fatalf("life %d, %s, byte %d of %d: %.300q, not %.300q", life, name, at, len(buffer), got, want)
				}
			}
		}
		if index = writeOn(t, d, index); life == 2 { // what was not flushed dies with this life
			d.Flush()
		}
	}
	must(t, d.Close())
	t.Log("found:", found)
}

// TestStatesWhoseFlushesWereNotCounted: data of a version that did not count them.
func TestStatesWhoseFlushesWereNotCounted(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, "node", testOptions(t, fs))
	must(t, d.Create(consensus.Replica{Group: 1, ID: 5}, nil))
	index := writeOn(t, d, 1)
	d.Flush()
	key := []byte{flushPrefix}
	must(t, d.state.Set(key, sealed(key, d.log.Sequence()), pebble.NoSync))
	must(t, d.state.Flush())
	fs = crash(d, fs, 0)
	must(t, fs.Remove("node/"+flushesName))
	if got := goOn(t, fs, index); got == "damaged" {
		t.Error(got)
	}
}

// writeOn appends and applies twenty entries from index on, and returns what follows.
func writeOn(t *testing.T, d *Disk, index uint64) (next uint64) {
	t.Helper()
	for next = index; next < index+20; next++ {
		must(t, d.Append([]consensus.Write{{Group: 1, HardState: conformance.Hard(1, 1, next), Entries: conformance.Entries(1, next, next)}}))
		apply(d, next)
	}
	return next
}

// applyAll applies what the log has and the state has not.
func applyAll(d *Disk, before uint64) {
	for i := d.State(1).Mark().Index + 1; i < before; i++ {
		apply(d, i)
	}
}

// apply carries out an entry: what it does depends on what is there.
func apply(d *Disk, index uint64) {
	s := d.State(1)
	key := fmt.Appendf(nil, "k%d", index%7)
	old, _ := s.Get(key)
	s.Set(key, fmt.Appendf(old, " %d", index))
	if index%9 == 0 {
		s.Delete(fmt.Appendf(nil, "k%d", index%5))
	}
	s.Commit(consensus.Mark{Index: index, Term: 1})
}

// goOn opens what a crash left, applies what the log has and more, and returns the contents
// at each flush; or "damaged".
func goOn(t *testing.T, fs *vfs.MemFS, index uint64) (text string) {
	t.Helper()
	d, err := Open("node", quietOptions(fs))
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return "damaged"
	}
	must(t, err)
	defer func() { _ = d.Close() }() // damage was told
	applyAll(d, index)
	for range 4 {
		index = writeOn(t, d, index)
		d.Flush()
		got, err := contents(d)
		if err != nil || d.Damage() != nil {
			return "damaged"
		}
		text += got
	}
	return text
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

// TestLostTailIsFoundAfterAPowerCut: the cut has taken what the side file was told last. It is
// told again at the start: nothing need be written until the end of the log rots.
func TestLostTailIsFoundAfterAPowerCut(t *testing.T) {
	fs := loaded(t, 100)
	d := mustOpen(t, "node", quietOptions(fs))
	must(t, d.Append([]consensus.Write{{Group: 1, HardState: conformance.Hard(2, 1, 60)}}))
	fs = crash(d, fs, 0)
	d = mustOpen(t, "node", quietOptions(fs))
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(1)}
	for kind, killed := range map[string]*vfs.MemFS{"kill": fs.CrashClone(all), "power cut": fs.CrashClone(vfs.CrashCloneCfg{})} {
		name := newestWAL(t, killed)
		end, err := wal.End(killed, name)
		must(t, err)
		buffer, err := killed.UnsafeGetFileDataBuffer(name)
		must(t, err)
		clear(buffer[end-32 : end])
		var damaged *DamagedError
		if _, err := Open("node", quietOptions(killed)); !errors.As(err, &damaged) {
			t.Errorf("after a %s: %v", kind, err)
		}
	}
	must(t, d.Close())
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

// Where the list of replicas is what was damaged, nobody knows what was lost, but it is
// known that something was: the node must not begin as if it were new.
func TestQuarantineOfUnknownReplicas(t *testing.T) {
	fs := loaded(t, 10)
	d := mustOpen(t, "node", quietOptions(fs))
	if has, err := d.HasQuarantine(); has || err != nil {
		t.Fatalf("before: %v, %v", has, err)
	}
	must(t, d.Close())
	buffer, err := fs.UnsafeGetFileDataBuffer("node/replicas")
	must(t, err)
	buffer[len(buffer)/2] ^= 1
	var damaged *DamagedError
	if _, err := Open("node", quietOptions(fs)); !errors.As(err, &damaged) {
		t.Fatalf("opened: %v", err)
	}
	_, err = Quarantine("node", quietOptions(fs))
	must(t, err)
	d = mustOpen(t, "node", testOptions(t, fs))
	if has, err := d.HasQuarantine(); !has || err != nil || len(d.Groups()) != 0 || len(d.Lost()) != 0 {
		t.Fatalf("has %v, %v; groups %v, lost %v", has, err, d.Groups(), d.Lost())
	}
	must(t, d.Close())
}

// A quarantine that is cut off at any of its steps is not mistaken for an empty node.
func TestQuarantineSurvivesCrashes(t *testing.T) {
	for moved := range 5 {
		fs := loaded(t, 100)
		must(t, writeFile(fs, "node/lost", formatReplicas([]consensus.Replica{{Group: 1, ID: 5}})))
		must(t, fs.MkdirAll("node/quarantine-1", 0o755))
		for _, name := range []string{stateName, logName, tailName, flushesName}[:moved] {
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

// Items that passed their checksums and make no sense are refused, never believed.
func FuzzReplay(f *testing.F) {
	var batch wal.Batch
	addReplica(&batch, newReplicaItem, 1, 5, 1, 1)
	addHard(&batch, 1, conformance.Hard(1, 1, 1))
	for _, e := range conformance.Entries(1, 2, 4) {
		addEntry(&batch, entryItem, 1, e)
	}
	addEntry(&batch, entryItem, 1, conformance.Entries(2, 3, 3)[0])
	addEntry(&batch, movedItem, 1, conformance.Entries(1, 2, 2)[0])
	addReplica(&batch, replicaItem, 1, 5, 2, 1)
	addNumbers(&batch, removedItem, 2)
	var items []byte
	log, err := wal.Open("log", wal.Options{FS: vfs.NewMem(), Head: func(*wal.Batch) {}}, nil)
	must(f, err)
	places, err := log.Append(nil, &batch)
	must(f, err)
	for _, p := range places {
		body, err := log.Read(p)
		must(f, err)
		items = append(append(items, byte(len(body))), body...)
	}
	f.Add(items)
	f.Fuzz(func(t *testing.T, items []byte) {
		r := replay{disk: &Disk{opts: Options{TailBytes: 50}, log: log}, groups: map[flotilla.GroupID]*replayed{}}
		for len(items) > 0 {
			n := min(int(items[0]), len(items)-1)
			if r.item(places[0], items[1:1+n]) != nil {
				return
			}
			items = items[1+n:]
		}
		for _, g := range r.groups {
			if g.finish() != nil {
				continue
			}
			for i, e := range g.log.tail {
				if e.GetIndex() != g.log.tailStart()+uint64(i) {
					t.Fatalf("entry %d is at %d", e.GetIndex(), i)
				}
			}
		}
	})
}

var _ flotilla.Reader = (*groupState)(nil)
