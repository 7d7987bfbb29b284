package powercut

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla/lab/labtest"
	"flotilla/supervisor"

	"github.com/cockroachdb/pebble/v2"
	"github.com/redis/go-redis/v9"
)

// These show that the instrument measures: what is known to lose writes without power
// is seen to lose them, and what is known to keep them keeps them.

// acknowledged is how many writes are waited for before the power goes.
const acknowledged = 300

func TestRedisKeepsWhatItSyncs(t *testing.T) {
	for _, c := range []struct {
		fsync string
		keeps bool
	}{{"always", true}, {"no", false}} {
		t.Run("appendfsync "+c.fsync, func(t *testing.T) {
			r := startRedis(t, mount(t, Options{}), "--appendonly", "yes", "--appendfsync", c.fsync)
			r.write(t)
			r.cut(t, r.fs.Cut)
			missing := r.missing(t)
			t.Logf("of %d acknowledged writes, %d are lost; %+v", acknowledged, missing, r.fs.Stats())
			if c.keeps != (missing == 0) {
				t.Errorf("appendfsync %s has lost %d of %d acknowledged writes", c.fsync, missing, acknowledged)
			}
		})
	}
}

// TestRedisKeepsWhatItSyncsWhenTorn leaves it a part of a command at the end of its file.
func TestRedisKeepsWhatItSyncsWhenTorn(t *testing.T) {
	r := startRedis(t, mount(t, Options{}), "--appendonly", "yes", "--appendfsync", "always")
	for seed := range uint64(3) {
		r.write(t)
		r.cut(t, func() error { return r.fs.CutTorn(seed) })
		if missing := r.missing(t); missing != 0 {
			t.Fatalf("seed %d: of %d acknowledged writes, %d are lost", seed, acknowledged, missing)
		}
	}
}

// TestRedisKeepsWhatItSaved: SAVE answers when the dump has its name, durably.
func TestRedisKeepsWhatItSaved(t *testing.T) {
	r := startRedis(t, mount(t, Options{}))
	r.write(t)
	if err := r.client().Save(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	r.cut(t, r.fs.Cut)
	if missing := r.missing(t); missing != 0 {
		t.Errorf("of %d saved keys, %d are lost", acknowledged, missing)
	}
}

// redisServer is a plain Redis with its files on a file system of ours.
type redisServer struct {
	*labtest.Process
	t       *testing.T
	fs      *FS
	address string
	args    []string
}

func startRedis(t *testing.T, f *FS, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server")
	}
	port := fmt.Sprint(supervisor.FirstStorePort + labtest.FreeOffset(t, 1))
	r := &redisServer{t: t, fs: f, address: "127.0.0.1:" + port}
	r.args = append([]string{"--port", port, "--dir", f.Dir(), "--bind", "127.0.0.1", "--save", ""}, args...)
	r.begin(t)
	return r
}

func (r *redisServer) begin(t *testing.T) {
	t.Helper()
	r.Process = labtest.Start(t, exec.Command("redis-server", r.args...))
	labtest.Eventually(t, 20*time.Second, "redis-server", func() bool {
		return r.IsGone() || r.client().Ping(context.Background()).Err() == nil
	}, r.Out.String)
	if r.IsGone() {
		t.Fatalf("redis-server does not start:\n%s", r.Out)
	}
}

// client returns a new client, which is closed with the test.
func (r *redisServer) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.address, MaxRetries: -1, DialerRetries: 1})
	r.t.Cleanup(func() { _ = c.Close() }) // nothing is under way on it
	return c
}

func key(i int) string { return fmt.Sprintf("key%06d", i) }

func (r *redisServer) write(t *testing.T) {
	t.Helper()
	c := r.client()
	for i := range acknowledged {
		if err := c.Set(context.Background(), key(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// cut cuts the power, and starts the server again when it is back.
func (r *redisServer) cut(t *testing.T, cut func() error) {
	t.Helper()
	if err := cut(); err != nil {
		t.Fatal(err)
	}
	r.Kill()
	r.fs.Restore()
	r.begin(t)
}

func (r *redisServer) missing(t *testing.T) (missing int) {
	t.Helper()
	c := r.client()
	for i := range acknowledged {
		if got, err := c.Get(context.Background(), key(i)).Result(); err != nil || got != strconv.Itoa(i) {
			missing++
		}
	}
	return missing
}

// TestPebbleKeepsWhatItSyncs does the same with the store that a node is built on.
func TestPebbleKeepsWhatItSyncs(t *testing.T) {
	for _, c := range []struct {
		option string
		keeps  bool
	}{{"sync", true}, {"nosync", false}} {
		t.Run(c.option, func(t *testing.T) {
			f := mount(t, Options{})
			total, lost := 0, 0
			for seed := range uint64(4) { // the first cut is strict, the others are torn
				total = writePebble(t, f, c.option, total)
				cut := f.Cut
				if seed > 0 {
					cut = func() error { return f.CutTorn(seed) }
				}
				if err := cut(); err != nil {
					t.Fatal(err)
				}
				f.Restore()
				found := readPebble(t, f)
				lost += max(total-found, 0)
				total = found
			}
			t.Logf("%d acknowledged writes are lost; %+v", lost, f.Stats())
			if c.keeps != (lost == 0) {
				t.Errorf("pebble with %s has lost %d acknowledged writes in 4 cuts", c.option, lost)
			}
		})
	}
}

// writePebble has a child write key after key until enough more are acknowledged,
// and kills it. It returns how many were.
func writePebble(t *testing.T, f *FS, option string, from int) (total int) {
	t.Helper()
	p := startChild(t, "pebble-write", filepath.Join(f.Dir(), "db"), option, strconv.Itoa(from))
	written := func() int { return from + strings.Count(p.Out.String(), "\n") }
	labtest.Eventually(t, 30*time.Second, "the child to write", func() bool { return p.IsGone() || written() >= from+acknowledged }, nil)
	if p.IsGone() {
		t.Fatalf("the child that writes: %.2000s", p.Out)
	}
	total = written()
	p.Kill()
	return total
}

// readPebble returns how many keys, from the first, are there.
func readPebble(t *testing.T, f *FS) int {
	t.Helper()
	p := startChild(t, "pebble-read", filepath.Join(f.Dir(), "db"))
	<-p.Ended
	found, err := strconv.Atoi(strings.TrimSpace(p.Out.String()))
	if err != nil {
		t.Fatalf("the child that reads: %.2000s", p.Out)
	}
	return found
}

func startChild(t *testing.T, name string, args ...string) *labtest.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return labtest.Start(t, cmd)
}

// runChild is the child's main.
func runChild(name string, args []string) int {
	var err error
	switch name {
	case "pebble-write": // FOLDER sync|nosync FROM
		err = childWrites(args[0], args[1] == "sync", args[2])
	case "pebble-read": // FOLDER
		err = childReads(args[0])
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// quiet keeps Pebble's chatter out of what the children print; Fatalf ends the process.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	fmt.Printf(format, args...)
	os.Exit(1)
}

// openChild opens the store. Small tables have it flush while it writes, which syncs all
// that it holds: only a store whose tables are large loses for certain what was not synced.
func openChild(dir string, memTableBytes uint64) (*pebble.DB, error) {
	return pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}, MemTableSize: memTableBytes})
}

const (
	smallTable = 64 << 10
	largeTable = 8 << 20
	unsynced   = 4 * acknowledged // keys of 1000 bytes: far less than a large table
)

// childWrites prints a line for each key that was acknowledged, until it is killed, or
// has written as many as must stay in memory.
func childWrites(dir string, isSynced bool, first string) error {
	from, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	tableBytes, last := uint64(smallTable), math.MaxInt
	if !isSynced {
		tableBytes, last = largeTable, from+unsynced
	}
	db, err := openChild(dir, tableBytes)
	if err != nil {
		return err
	}
	value := make([]byte, 1000)
	for i := from; i < last; i++ {
		if err := db.Set([]byte(key(i)), value, &pebble.WriteOptions{Sync: isSynced}); err != nil {
			return err
		}
		fmt.Println()
	}
	<-time.After(time.Hour) // it is killed long before
	return errors.New("nobody killed the child")
}

func childReads(dir string) error {
	db, err := openChild(dir, smallTable)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		_, closer, err := db.Get([]byte(key(i)))
		if errors.Is(err, pebble.ErrNotFound) {
			fmt.Println(i)
			return db.Close()
		}
		if err := errors.Join(err, closer.Close()); err != nil {
			return err
		}
	}
}
