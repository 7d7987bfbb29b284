package powercut

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla/check"
	"flotilla/supervisor"

	"github.com/redis/go-redis/v9"
)

var isLong = flag.Bool("long", false, "cut the power of a cluster many more times")

// TestAcknowledgedWritesSurvivePowerLoss cuts the power of real nodes under load, of
// one at a time and of all at once. The torn cuts print their seed.
func TestAcknowledgedWritesSurvivePowerLoss(t *testing.T) {
	c := startCluster(t, nil)
	rounds, alone := 1, 1
	if *isLong {
		rounds, alone = 20, len(c.nodes)
	}
	for round := range rounds {
		for n := range alone {
			c.mustSurvive(t, fmt.Sprintf("round %d of n%d", round, n+1), (*FS).Cut, n)
		}
		c.mustSurvive(t, fmt.Sprintf("round %d of all at once", round), (*FS).Cut, 0, 1, 2)
		seed := uint64(time.Now().UnixNano())
		torn := func(f *FS) error { return f.CutTorn(seed) }
		c.mustSurvive(t, fmt.Sprintf("round %d of all at once, torn by seed %d", round, seed), torn, 0, 1, 2)
	}
	c.checkCutsWereCuts(t)
}

// bug is planted into the program: a text of a source file, what is put in its place,
// and what is added at the file's end.
type bug struct {
	name, file, right, wrong, added string
	symptom                         *regexp.Regexp // of a cut
	shownByKill                     bool           // kill -9 shows it, too
	isLong                          bool
}

// swallowFsync is a file system whose write-ahead logs pretend to be synced.
const swallowFsync = `
type unsyncedFS struct{ vfs.FS }
type unsyncedFile struct{ vfs.File }
func (unsyncedFile) Sync() error { return nil }
func (unsyncedFile) SyncData() error { return nil }
func (unsyncedFile) SyncTo(int64) (bool, error) { return true, nil }
func (u unsyncedFS) Create(name string, why vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.Create(name, why)
	if err != nil || name[len(name)-4:] != ".log" {
		return f, err
	}
	return unsyncedFile{f}, nil
}
func (u unsyncedFS) ReuseForWrite(old, name string, why vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := u.FS.ReuseForWrite(old, name, why)
	return unsyncedFile{f}, err
}
`

var bugs = []bug{
	{name: "the log's fsync does nothing", file: "storage/open.go",
		right: "d.fs = vfs.OnDiskFull(d.opts.FS, d.space.release)",
		wrong: "d.fs = unsyncedFS{vfs.OnDiskFull(d.opts.FS, d.space.release)}", added: swallowFsync,
		symptom: regexp.MustCompile("an acknowledged write is lost|the data is damaged")},
	{name: "the node's folder has no durable name", file: "supervisor/files.go",
		right: "return syncDir(above)", wrong: "return nil",
		symptom: regexp.MustCompile("an acknowledged write is lost"), isLong: true},
	// What is not synced Pebble also writes later, from memory of its own: kill -9 is
	// enough to lose that.
	{name: "entries are not synced", file: "storage/append.go",
		right: "batch.Commit(pebble.Sync)", wrong: "batch.Commit(pebble.NoSync)",
		symptom: regexp.MustCompile("an acknowledged write is lost|the data is damaged"), shownByKill: true},
	{name: "small files are renamed before they are synced", file: "supervisor/files.go",
		right: "err = file.Sync()", wrong: "err = nil",
		symptom: regexp.MustCompile("node.json: unexpected end"), isLong: true},
}

// TestAMissingFsyncIsCaught plants bugs and wants a cut to show them, by what they do:
// a flaky start would not do. kill -9, which comes first, shows most of them not.
func TestAMissingFsyncIsCaught(t *testing.T) {
	for _, bug := range bugs {
		if bug.isLong && !*isLong {
			continue // no skipped test: where all tools are at hand, CI wants none
		}
		t.Run(bug.name, func(t *testing.T) {
			c := startCluster(t, &bug)
			justKilled := func(*FS) error { return nil }
			if !bug.shownByKill {
				if err := c.survive(justKilled, 0, 1, 2); err != nil {
					t.Fatalf("kill -9 shows it, too, so it is no example: %v", err)
				}
			}
			err := c.survive((*FS).Cut, 0, 1, 2)
			if err == nil || !bug.symptom.MatchString(err.Error()) {
				t.Fatalf("it was not caught by %q, but: %v", bug.symptom, err)
			}
			t.Logf("caught: %v", err)
		})
	}
}

// TestAFleetSurvivesPowerLoss cuts the power of a machine with a whole `flotilla up`.
func TestAFleetSurvivesPowerLoss(t *testing.T) {
	f := mount(t, Options{})
	program, offset := build(t, nil), freeOffset(t)
	dir := filepath.Join(f.Dir(), "my", "fleet") // `up` has to make both
	c := &cluster{t: t}
	for i := range 3 {
		c.nodes = append(c.nodes, &clusterNode{name: fmt.Sprintf("n%d", i+1), store: fmt.Sprint(supervisor.FirstStorePort + offset + i)})
	}
	up := func() *process {
		p := start(t, exec.Command(program, "up", "--dir", dir, "--port-offset", fmt.Sprint(offset)))
		if err := c.waitReady(); err != nil {
			t.Fatalf("%v\n%s", err, p.out)
		}
		return p
	}
	first := up()
	l := startLoad(c.stores())
	if !eventually(20*time.Second, func() bool { return l.acknowledged.Load() >= 500 }) {
		t.Fatalf("nobody acknowledges writes:\n%s", first.out)
	}
	if err := f.Cut(); err != nil {
		t.Fatal(err)
	}
	first.kill()
	if !eventually(20*time.Second, func() bool { return arePortsFree(offset) }) { // the kernel kills the nodes
		t.Fatal("the nodes live on")
	}
	f.Restore()
	second := up()
	l.finish()
	if err := c.judge(l); err != nil {
		t.Errorf("%v\n%s", err, second.out)
	}
}

// build builds the program, once for all tests, or with a bug, and returns its path.
func build(t *testing.T, bug *bug) string {
	t.Helper()
	path, err := program()
	if bug != nil {
		path, err = bug.build(t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// build builds the program with the bug in it, by a copy of the source file that the
// compiler takes in its place.
func (b *bug) build(dir string) (path string, err error) {
	original, err := filepath.Abs(filepath.Join("..", "..", b.file))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), b.right) != 1 {
		return "", fmt.Errorf("%s has %q not once: the bug can not be planted any more", b.file, b.right)
	}
	copied, list := filepath.Join(dir, "copy.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(copied, []byte(strings.Replace(string(text), b.right, b.wrong, 1)+b.added), 0o600); err != nil {
		return "", err
	}
	raw, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err == nil {
		err = os.WriteFile(list, raw, 0o600)
	}
	if err != nil {
		return "", err
	}
	return goBuild(filepath.Join(dir, "flotilla"), "-overlay", list)
}

func goBuild(path string, flags ...string) (string, error) {
	args := append(append([]string{"build", "-o", path}, flags...), "flotilla/cmd/flotilla")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// program builds the program as it is.
var program = sync.OnceValues(func() (string, error) {
	return goBuild(filepath.Join(os.Getenv(folderEnv), "flotilla"))
})

// cluster is three nodes, each with its folder on a file system of its own.
type cluster struct {
	t       *testing.T
	program string
	nodes   []*clusterNode
}

type clusterNode struct {
	name  string
	fs    *FS
	store string // its port for Redis clients
	args  []string
	*process
	logs []*lockedBuffer // of all its lives
}

// startCluster starts three nodes, of a program with a bug if there is one. Their
// folders do not exist yet: the nodes make them.
func startCluster(t *testing.T, bug *bug) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for i := range 3 { // first of all: the test is skipped here where there is no FUSE
		c.nodes = append(c.nodes, &clusterNode{name: fmt.Sprintf("n%d", i+1), fs: mount(t, Options{})})
	}
	c.program = build(t, bug)
	ports := freePorts(t, 9)
	members := fmt.Sprintf("n1=127.0.0.1:%s,n2=127.0.0.1:%s,n3=127.0.0.1:%s", ports[6], ports[7], ports[8])
	t.Cleanup(c.showLogs)
	for i, n := range c.nodes {
		n.store = ports[i]
		n.args = []string{"node", "--id", n.name, "--cluster", "powercut", "--members", members,
			"--dir", filepath.Join(n.fs.Dir(), "nodes", n.name), "--memory", "256MiB", "--stop-with-stdin",
			"--listen-store", "127.0.0.1:" + ports[i], "--listen-http", "127.0.0.1:" + ports[3+i], "--listen-peer", "127.0.0.1:" + ports[6+i]}
		c.begin(n)
	}
	if err := c.waitReady(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) begin(n *clusterNode) {
	c.t.Helper()
	n.process = start(c.t, exec.Command(c.program, n.args...))
	n.logs = append(n.logs, n.out)
}

func (c *cluster) showLogs() {
	if !c.t.Failed() {
		return
	}
	for _, n := range c.nodes {
		for life, log := range n.logs {
			text := log.String()
			c.t.Logf("%s in life %d said at last:\n%s", n.name, life+1, text[max(0, len(text)-2000):])
		}
	}
}

// waitReady waits until a write to each node is acknowledged. A node that sets its data
// aside, or ends, is a failure, even if the others would make up for it.
func (c *cluster) waitReady() error {
	for _, n := range c.nodes {
		client := dial(n.store)
		var err error
		isReady := eventually(30*time.Second, func() bool {
			if err = c.complaint(); err != nil {
				return true
			}
			err = client.Set(context.Background(), "ready", n.name, 0).Err()
			return err == nil
		})
		_ = client.Close() // nothing is under way on it
		if err != nil || !isReady {
			return fmt.Errorf("%s takes no writes: %w", n.name, err)
		}
	}
	return c.complaint()
}

// complaint returns what a node says that no power cut explains.
func (c *cluster) complaint() error {
	for _, n := range c.nodes {
		if n.process == nil {
			continue // it is under a supervisor
		}
		text := n.out.String()
		for line := range strings.Lines(text) {
			if strings.Contains(line, "the data is damaged") {
				return fmt.Errorf("%s says: %s", n.name, line)
			}
		}
		if n.isGone() {
			return fmt.Errorf("%s ended: %s", n.name, text[max(0, len(text)-500):])
		}
	}
	return nil
}

// stores returns where clients reach the nodes.
func (c *cluster) stores() (ports []string) {
	for _, n := range c.nodes {
		ports = append(ports, n.store)
	}
	return ports
}

func (c *cluster) mustSurvive(t *testing.T, name string, cut func(*FS) error, which ...int) {
	t.Run(name, func(t *testing.T) {
		if err := c.survive(cut, which...); err != nil {
			t.Fatal(err)
		}
	})
}

// survive cuts the power of some nodes under load, gives it back, starts them again,
// and returns what clients were told that is not true.
func (c *cluster) survive(cut func(*FS) error, which ...int) error {
	l := startLoad(c.stores())
	if !eventually(20*time.Second, func() bool { return l.acknowledged.Load() >= 500 }) {
		l.finish()
		return errors.New("nobody acknowledges writes")
	}
	before := l.acknowledged.Load()
	var errs []error
	for _, i := range which {
		errs = append(errs, cut(c.nodes[i].fs))
	}
	for _, i := range which {
		c.nodes[i].kill()
	}
	if len(which) == 1 { // the others go on; let them get ahead
		eventually(5*time.Second, func() bool { return l.acknowledged.Load() >= before+500 })
	}
	for _, i := range which {
		c.nodes[i].fs.Restore()
		c.begin(c.nodes[i])
	}
	errs = append(errs, c.waitReady())
	l.finish()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return c.judge(l)
}

// judge reads every key again, each from the next node, and compares.
func (c *cluster) judge(l *load) error {
	var clients []*redis.Client
	for _, n := range c.nodes {
		clients = append(clients, dial(n.store))
		defer clients[len(clients)-1].Close()
	}
	history := l.recorder.History()
	final := map[string]check.Final{}
	for i, o := range history {
		if _, isDone := final[o.Key]; isDone {
			continue
		}
		end, err := l.readFinal(clients[i%len(clients)], o.Key)
		if err != nil {
			return fmt.Errorf("read %s when all is well again: %w", o.Key, err)
		}
		final[o.Key] = end
	}
	for _, v := range []check.Verdict{check.Durable(history, final), check.Linearizable(l.recorder.History(), 20*time.Second)} {
		if !v.OK() {
			return errors.New(v.String())
		}
		c.t.Logf("%v", v)
	}
	return nil
}

// checkCutsWereCuts wants each file system to have been used, and to have lost something.
func (c *cluster) checkCutsWereCuts(t *testing.T) {
	for _, n := range c.nodes {
		s := n.fs.Stats()
		t.Logf("%s: %+v", n.name, s)
		if s.FileSyncs == 0 || s.FolderSyncs == 0 || s.DroppedBytes == 0 || s.EarlyBytes > 0 {
			t.Errorf("%s: %+v: nothing was tested, or too kindly", n.name, s)
		}
	}
}
