package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const dir = "node/log"

// testLog is a log of texts with what it was told to keep.
type testLog struct {
	*Log
	t     testing.TB
	fs    *vfs.MemFS
	kept  map[string]Position
	order []string // of kept, oldest first
}

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Head: func(b *Batch) { add(b, "head") }, SegmentBytes: 600, FillBytes: 200, Spares: 2}
}

func add(b *Batch, text string) { copy(b.Add(len(text)), text) }

// mustOpen opens a log and returns the texts in it that are not heads.
func mustOpen(t testing.TB, fs *vfs.MemFS) (*testLog, []string) {
	t.Helper()
	l, texts, err := open(fs)
	if err != nil {
		t.Fatal(err)
	}
	l.t = t
	return l, texts
}

func open(fs *vfs.MemFS) (*testLog, []string, error) {
	if err := fs.MkdirAll("node", 0o755); err != nil {
		return nil, nil, err
	}
	if err := syncDir(fs, "/"); err != nil {
		return nil, nil, err
	}
	l := &testLog{fs: fs, kept: map[string]Position{}}
	var texts []string
	var err error
	l.Log, err = Open(dir, testOptions(fs), func(p Position, body []byte) error {
		if string(body) != "head" {
			texts = append(texts, string(body))
			l.kept[string(body)] = p
			l.order = append(l.order, string(body))
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, p := range l.kept {
		l.Keep(p)
	}
	return l, texts, nil
}

// put appends a record of texts and keeps them.
func (l *testLog) put(texts ...string) {
	l.t.Helper()
	var b Batch
	for _, text := range texts {
		add(&b, text)
	}
	places, err := l.Append(nil, &b)
	if err != nil {
		l.t.Fatal(err)
	}
	for i, text := range texts {
		l.Keep(places[i])
		l.kept[text] = places[i]
		l.order = append(l.order, text)
	}
}

// drop frees the oldest texts until n are left.
func (l *testLog) drop(n int) {
	for len(l.order) > n {
		l.Free(l.kept[l.order[0]])
		delete(l.kept, l.order[0])
		l.order = l.order[1:]
	}
}

func (l *testLog) check() {
	l.t.Helper()
	for text, p := range l.kept {
		if body, err := l.Read(p); err != nil || string(body) != text {
			l.t.Fatalf("%s: %q, %v", text, body, err)
		}
	}
}

// text is the i-th record's, of some length.
func text(i int) string { return fmt.Sprintf("%d:%s", i, strings.Repeat("x", i*7%90)) }

func names(t testing.TB, fs *vfs.MemFS) []string {
	t.Helper()
	list, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestAppendReadAndOpenAgain(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l, texts := mustOpen(t, fs)
	if len(texts) != 0 || l.Sequence() != 0 {
		t.Fatal(texts, l.Sequence())
	}
	for i := range 100 {
		l.put(text(i), "and "+text(i))
		l.drop(20)
		l.check()
		sequence, chain := l.Sequence(), l.Chain()
		if i%10 == 9 {
			want := slices.Clone(l.order)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l, texts = mustOpen(t, fs)
			if l.Sequence() != sequence || l.Chain() != chain {
				t.Fatalf("record %d, %x; want %d, %x", l.Sequence(), l.Chain(), sequence, chain)
			}
			if len(texts) < len(want) || !slices.Equal(texts[len(texts)-len(want):], want) {
				t.Fatalf("found %q, want %q", texts, want)
			}
			l.check()
		}
	}
	if list := names(t, fs); len(list) > 8 || !slices.ContainsFunc(list, func(n string) bool { return strings.HasSuffix(n, spareSuffix) }) {
		t.Fatalf("files: %q", list)
	}
	if size := l.Bytes(); size == 0 || size > 8*700 {
		t.Fatalf("%d bytes", size)
	}
}

// A segment that is written over holds old records, which must not come back.
func TestOldRecordsDoNotComeBack(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l, _ := mustOpen(t, fs)
	for i := range 60 {
		l.put(text(i))
		l.drop(3)
	}
	for i := range 30 {
		l.put(fmt.Sprintf("new %d", i))
		l.drop(1)
		left := fs.CrashClone(vfs.CrashCloneCfg{})
		again, texts := mustOpen(t, left)
		if again.Sequence() != l.Sequence() || texts[len(texts)-1] != fmt.Sprintf("new %d", i) {
			t.Fatalf("record %d of %d: %q", again.Sequence(), l.Sequence(), texts)
		}
	}
}

// Power cuts at any moment leave all that was acknowledged, and at most the record
// that was on its way besides.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 1))
		fs := vfs.NewCrashableMem()
		l, _ := mustOpen(t, fs)
		next := 0
		for range 4 {
			cutAt, cuts := random.IntN(60), 0
			percent := []int{0, 50, 100}[random.IntN(3)]
			var left *vfs.MemFS
			acknowledged := -1
			files := &hookedFS{FS: fs, before: func() {
				if cuts == cutAt {
					left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random})
				}
				cuts++
			}}
			l.opts.FS = files
			for _, s := range l.segments {
				s.file = hookedFile{File: s.file, fs: files}
			}
			for left == nil {
				l.put(text(next))
				if left == nil {
					acknowledged = next
				}
				next++
				l.drop(1 + random.IntN(12))
			}
			again, texts, err := open(left)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := followOn(texts, acknowledged, next); err != nil {
				t.Fatalf("seed %d, %d%%: %v", seed, percent, err)
			}
			l, fs = again, left
			l.t = t
			next += 10 // what is not known must not be written a second time
			l.put(text(next))
			next++
		}
	}
}

// followOn checks that texts follow each other and end between two of them.
func followOn(texts []string, least, next int) error {
	if len(texts) == 0 {
		if least >= 0 {
			return fmt.Errorf("nothing is left, %d was acknowledged", least)
		}
		return nil
	}
	var last int
	if _, err := fmt.Sscanf(texts[len(texts)-1], "%d:", &last); err != nil {
		return err
	}
	if last < least || last >= next {
		return fmt.Errorf("ends with %d; acknowledged %d, written up to %d", last, least, next-1)
	}
	return nil
}

// hookedFS calls before ahead of each operation that changes something.
type hookedFS struct {
	vfs.FS
	before func()
}

type hookedFile struct {
	vfs.File
	fs *hookedFS
}

func (f *hookedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	if err != nil {
		return nil, err
	}
	return hookedFile{File: file, fs: f}, nil
}

func (f *hookedFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return hookedFile{File: file, fs: f}, nil
}

func (f *hookedFS) Rename(from, to string) error { f.before(); return f.FS.Rename(from, to) }
func (f *hookedFS) Remove(name string) error     { f.before(); return f.FS.Remove(name) }

func (f *hookedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.before()
	return f.FS.Create(name, c)
}

func (f hookedFile) WriteAt(p []byte, at int64) (int, error) {
	f.fs.before()
	return f.File.WriteAt(p, at)
}
func (f hookedFile) SyncData() error { f.fs.before(); return f.File.SyncData() }
func (f hookedFile) Sync() error     { f.fs.before(); return f.File.Sync() }

// grown returns a log in which segments were written over, and its texts.
func grown(t testing.TB) (*vfs.MemFS, []string) {
	fs := vfs.NewCrashableMem()
	l, _ := mustOpen(t, fs)
	for i := 0; i < 70 || len(l.spares) == 0; i++ {
		l.put(text(i))
		l.drop(20)
	}
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}
	fs = fs.CrashClone(all)
	_, texts := mustOpen(t, fs.CrashClone(all))
	return fs, texts
}

// Whatever bit flips: all is there, or all but the last record, or it is damaged.
func TestFlippedBits(t *testing.T) {
	fs, want := grown(t)
	found, torn := 0, 0
	for _, name := range names(t, fs) {
		buffer, err := fs.UnsafeGetFileDataBuffer(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for at := range buffer {
			buffer[at] ^= 1 << (at % 8)
			l, texts, err := open(fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}))
			switch {
			case errors.Is(err, ErrDamaged):
				found++
			case err != nil:
				t.Fatalf("%s byte %d: %v", name, at, err)
			case endsWith(texts, want[:len(want)-1]):
				torn++
			case !endsWith(texts, want):
				t.Fatalf("%s byte %d: silently different: %d texts, not %d; ends with %.20q", name, at, len(texts), len(want), texts[max(0, len(texts)-1):])
			default:
				_ = l.Close()
			}
			buffer[at] ^= 1 << (at % 8)
		}
	}
	t.Logf("%d found, %d looked like a torn end", found, torn)
	if found < 1000 || torn == 0 || torn > 200 {
		t.Fatalf("%d found, %d looked like a torn end", found, torn)
	}
}

// endsWith allows for older texts, which were given up, to be there still.
func endsWith(texts, want []string) bool {
	return len(texts) >= len(want) && slices.Equal(texts[len(texts)-len(want):], want)
}

// What is read from a file that rotted meanwhile is checked.
func TestReadFindsDamage(t *testing.T) {
	fs, _ := grown(t)
	l, _ := mustOpen(t, fs)
	p := l.kept[l.order[0]]
	buffer, err := fs.UnsafeGetFileDataBuffer(fmt.Sprintf("%s/%08d%s", dir, p.Segment, logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []uint32{0, 4, itemBytes, itemBytes + p.Size - 1} {
		buffer[p.Offset+at] ^= 4
		if body, err := l.Read(p); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d: %q, %v", at, body, err)
		}
		buffer[p.Offset+at] ^= 4
	}
	if _, err := l.Read(Position{Segment: 1, Size: 3}); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

func TestMissingSegments(t *testing.T) {
	fs, want := grown(t)
	l, _ := mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	oldest := l.segments[0].number
	for _, name := range names(t, fs) {
		left := fs.CrashClone(vfs.CrashCloneCfg{})
		if err := left.Remove(dir + "/" + name); err != nil {
			t.Fatal(err)
		}
		_, texts, err := open(left)
		isNeeded := name >= fmt.Sprintf("%08d%s", oldest, logSuffix) && !strings.HasSuffix(name, spareSuffix)
		if isNeeded == (err == nil) && !isNewest(t, fs, name) || !isNeeded && !slices.Equal(texts, want) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// isNewest says that a file is the last one: that it is gone only the caller can see.
func isNewest(t *testing.T, fs *vfs.MemFS, name string) bool {
	list := slices.DeleteFunc(names(t, fs), func(n string) bool { return !strings.HasSuffix(n, logSuffix) })
	return name == list[len(list)-1]
}

// A segment of another log, or of an older copy of this one, does not fit.
func TestForeignSegment(t *testing.T) {
	write := func(last string) *vfs.MemFS {
		fs := vfs.NewCrashableMem()
		l, _ := mustOpen(t, fs)
		for i := range 30 {
			l.put(text(i))
			if l.newest().number == 2 {
				l.put(last)
				last = "the same"
			}
		}
		return fs
	}
	fs, other := write("mine"), write("hers")
	name := fmt.Sprintf("%s/%08d%s", dir, 2, logSuffix)
	mine, err := fs.UnsafeGetFileDataBuffer(name)
	if err != nil {
		t.Fatal(err)
	}
	hers, err := other.UnsafeGetFileDataBuffer(name)
	if err != nil {
		t.Fatal(err)
	}
	if copy(mine, hers) != len(mine) || len(mine) != len(hers) {
		t.Fatal("they differ in length")
	}
	if _, _, err := open(fs); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

// A name that a crash brought back is no segment of the log any more.
func TestOldSegmentIsLeftOver(t *testing.T) {
	fs, want := grown(t)
	list := names(t, fs)
	spare := list[slices.IndexFunc(list, func(n string) bool { return strings.HasSuffix(n, spareSuffix) })]
	if err := fs.Rename(dir+"/"+spare, dir+"/00000001"+logSuffix); err != nil {
		t.Fatal(err)
	}
	l, texts := mustOpen(t, fs)
	if !slices.Equal(texts, want) {
		t.Fatalf("%q", texts)
	}
	if slices.Contains(names(t, fs), "00000001"+logSuffix) {
		t.Fatal("it is still there")
	}
	l.put("more")
	l.check()
}

// What a process wrote and did not sync is believed by the next one, so that must
// sync it first.
func TestOpenSyncsWhatItFound(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l, _ := mustOpen(t, fs)
	l.put("a")
	files := &hookedFS{FS: fs, before: func() {}}
	l.newest().file = unsynced{hookedFile{File: l.newest().file, fs: files}}
	l.put("b")
	_, texts := mustOpen(t, fs)
	if !slices.Equal(texts, []string{"a", "b"}) {
		t.Fatalf("%q", texts)
	}
	_, texts = mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	if !slices.Equal(texts, []string{"a", "b"}) {
		t.Fatalf("after a power cut: %q", texts)
	}
}

type unsynced struct{ hookedFile }

func (unsynced) SyncData() error { return nil }

// One record may be larger than a segment; its file is not kept as a spare.
func TestLargeRecord(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l, _ := mustOpen(t, fs)
	large := strings.Repeat("large", 1000)
	l.put("a")
	l.put(large, "b")
	l.put("c")
	l.check()
	again, texts := mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	if !slices.Equal(texts, []string{"a", large, "b", "c"}) {
		t.Fatalf("%d texts", len(texts))
	}
	again.drop(0)
	for i := range 20 {
		again.put(text(i))
		again.drop(1)
	}
	if size := again.Bytes(); size > 5000 {
		t.Fatalf("%d bytes in %q", size, names(t, again.fs))
	}
}

// A few old items keep a segment until they are written again.
func TestSparse(t *testing.T) {
	l, _ := mustOpen(t, vfs.NewCrashableMem())
	l.put("old")
	old := l.kept["old"]
	for i := 0; ; i++ {
		if number, ok := l.Sparse(); ok {
			if number != old.Segment {
				t.Fatalf("segment %d, want %d", number, old.Segment)
			}
			break
		}
		if i == 100 {
			t.Fatal("not found")
		}
		l.put(text(i))
		l.order = append(l.order[1:], "old") // what was put goes, old stays
		l.Free(l.kept[l.order[0]])
		delete(l.kept, l.order[0])
		l.order = []string{"old"}
	}
	before := len(l.segments)
	l.put("old")
	l.Free(old)
	l.put("b")
	l.put("c")
	if _, ok := l.Sparse(); ok || len(l.segments) >= before {
		t.Fatalf("%d segments of %d are left", len(l.segments), before)
	}
	l.check()
}

func FuzzOpen(f *testing.F) {
	fs, _ := grown(f)
	for _, name := range names(f, fs) {
		buffer, err := fs.UnsafeGetFileDataBuffer(dir + "/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(buffer), uint8(strings.Count(name, "0")))
	}
	f.Fuzz(func(t *testing.T, content []byte, number uint8) {
		fs := vfs.NewMem()
		if err := fs.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := fs.Create(fmt.Sprintf("%s/%08d%s", dir, number, logSuffix), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(content); err != nil {
			t.Fatal(err)
		}
		l, _, err := open(fs)
		if err != nil {
			return
		}
		l.t = t
		l.put("more")
		l.check()
	})
}

func TestEnd(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l, _ := mustOpen(t, fs)
	for range 3 {
		l.put("a")
		if end, err := End(fs, l.path(1, logSuffix)); err != nil || end != l.newest().end {
			t.Fatalf("%d, %v; want %d", end, err, l.newest().end)
		}
	}
	if _, err := End(fs, "other"); err == nil {
		t.Fatal("no error")
	}
}
