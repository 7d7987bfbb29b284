package powercut

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flotilla/lab/labtest"
)

// sqliteWrites commits rows one by one, says so, and waits to be killed.
const sqliteWrites = `
import sqlite3, sys
path, journal, synchronous = sys.argv[1:4]
db = sqlite3.connect(path, isolation_level=None)
db.execute("pragma journal_mode=" + journal)
db.execute("pragma synchronous=" + synchronous)
db.execute("create table t (i integer primary key)")
for i in range(100):
    db.execute("insert into t values (?)", (i,))
print("all committed", flush=True)
sys.stdin.read()
`

const sqliteCounts = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
assert db.execute("pragma integrity_check").fetchone() == ("ok",)
try:
    print(db.execute("select count(*) from t").fetchone()[0])
except sqlite3.OperationalError: # no such table
    print(0)
`

// TestSQLiteKeepsWhatItSyncs is the finest proof: SQLite's manual says of each setting
// what a power cut may take, down to the one transaction that DELETE with FULL may lose
// because the journal's removal is not synced. None of them ever breaks the database.
func TestSQLiteKeepsWhatItSyncs(t *testing.T) {
	for _, c := range []struct {
		journal, synchronous string
		least, most          int // rows of 100
	}{
		{"delete", "extra", 100, 100},
		{"delete", "full", 99, 99},
		{"wal", "full", 100, 100},
		{"wal", "normal", 0, 99},
	} {
		t.Run(c.journal+" "+c.synchronous, func(t *testing.T) {
			f := mount(t, Options{})
			path := filepath.Join(f.Dir(), "db")
			p := startPython(t, sqliteWrites, path, c.journal, c.synchronous)
			isDone := func() bool { return p.IsGone() || strings.Contains(p.Out.String(), "all committed") }
			labtest.Eventually(t, 30*time.Second, "all to be committed", isDone, p.Out.String)
			if p.IsGone() {
				t.Fatal(p.Out)
			}
			err := f.Cut()
			p.Kill()
			f.Restore()
			reader := startPython(t, sqliteCounts, path)
			<-reader.Ended
			rows, atoiErr := strconv.Atoi(strings.TrimSpace(reader.Out.String()))
			if err := errors.Join(err, atoiErr); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d of 100 rows are there; %+v", rows, f.Stats())
			if rows < c.least || rows > c.most {
				t.Errorf("%d rows are there, want %d to %d", rows, c.least, c.most)
			}
		})
	}
}

func startPython(t *testing.T, script string, args ...string) *labtest.Process {
	t.Helper()
	if exec.Command("python3", "-c", "import sqlite3").Run() != nil {
		t.Skip("needs python3 with its sqlite3")
	}
	return labtest.Start(t, exec.Command("python3", append([]string{"-c", script}, args...)...))
}
