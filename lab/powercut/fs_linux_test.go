package powercut

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestWhatIsOpenInACutStaysBroken: a process that survived a power cut would be no
// process of this world, and must not write on as if nothing had happened.
func TestWhatIsOpenInACutStaysBroken(t *testing.T) {
	f := mount(t, Options{})
	path := filepath.Join(f.Dir(), "f")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	root, err := os.Open(f.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(file.Sync(), root.Sync()); err != nil {
		t.Fatal(err)
	}
	broken := func(when string) {
		t.Helper()
		_, writeErr := file.WriteAt([]byte("x"), 0)
		for what, err := range map[string]error{"write": writeErr, "fsync": file.Sync(), "fsync of the root": root.Sync()} {
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: %s gives %v, want EIO", when, what, err)
			}
		}
	}
	if err := f.Cut(); err != nil {
		t.Fatal(err)
	}
	broken("without power")
	if _, err := os.ReadFile(path); !errors.Is(err, syscall.EIO) {
		t.Errorf("without power, opening a file gives %v, want EIO", err)
	}
	if _, err := os.ReadDir(f.Dir()); !errors.Is(err, syscall.EIO) {
		t.Errorf("without power, reading the root gives %v, want EIO", err)
	}
	f.Restore()
	broken("with power again")
	if text, err := os.ReadFile(path); err != nil || len(text) != 0 {
		t.Errorf("with power again, the file reads %q, error %v", text, err)
	}
}

// TestMemoryIsBounded writes more than may be pending: the rest is durable early, and
// the stats say so.
func TestMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20
	f := mount(t, Options{PendingBytes: limit})
	path := filepath.Join(f.Dir(), "f")
	want := bytes.Repeat([]byte("0123456789abcdef"), 10*limit/16)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	s := f.Stats()
	if s.PendingBytes > limit || s.EarlyBytes < 9*limit || s.FileSyncs != 0 {
		t.Errorf("%+v: at most %d bytes may be pending of %d", s, limit, len(want))
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, error %v, want %d", len(got), err, len(want))
	}
	if err := syncDir(f.Dir()); err != nil {
		t.Fatal(err)
	}
	cut(t, f)
	got, err := os.ReadFile(path)
	if err != nil || len(got) < 9*limit || !bytes.HasPrefix(want, got) {
		t.Errorf("after the cut there are %d bytes, error %v", len(got), err)
	}
}

// TestStatsAndLogSayWhatWasLost, and the seed that loses it again.
func TestStatsAndLogSayWhatWasLost(t *testing.T) {
	var log bytes.Buffer
	f := mount(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, name := range []string{"f", "g"} {
		if err := os.WriteFile(filepath.Join(f.Dir(), name), []byte("12345\x00\x00\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := withFile(filepath.Join(f.Dir(), "f"), 0, (*os.File).Sync); err != nil {
		t.Fatal(err)
	}
	if s, want := f.Stats(), (Stats{FileSyncs: 1, PendingBytes: 8 + changeOverhead, PendingNames: 2}); s != want {
		t.Errorf("before the cut: %+v, want %+v", s, want)
	}
	cut(t, f)
	if s, want := f.Stats(), (Stats{FileSyncs: 1, Cuts: 1, DroppedBytes: 5, DroppedNames: 2}); s != want {
		t.Errorf("after the cut: %+v, want %+v", s, want)
	}
	if err := f.CutTorn(4711); err != nil {
		t.Fatal(err)
	}
	f.Restore()
	for _, want := range []string{"dropped_bytes=5 dropped_names=2\n", "seed=4711\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

// TestMountRefusesAnImageFromBefore: names are in memory only, so old files would be
// garbage.
func TestMountRefusesAnImageFromBefore(t *testing.T) {
	backing := t.TempDir()
	if err := os.WriteFile(filepath.Join(backing, "2"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Mount(t.TempDir(), backing, Options{})
	if err == nil || !strings.Contains(err.Error(), "use an empty one") {
		t.Errorf("Mount says %v", err)
	}
}
