package labtest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9/logging"
)

// folderEnv names the folder that Main makes for the program and removes again.
const folderEnv = "FLOTILLA_LABTEST_FOLDER"

// Main is what a TestMain of such tests does. It does not return.
func Main(m *testing.M) {
	flag.Parse()
	logging.Disable() // connections that fail are meant to
	dir, err := os.MkdirTemp("", "flotilla-test-")
	if err == nil {
		err = os.Setenv(folderEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir) // a temporary folder left behind harms nobody
	os.Exit(code)
}

// Program returns the path of the program as it is, which is built once for all tests.
func Program(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var program = sync.OnceValues(func() (string, error) { return build(filepath.Join(os.Getenv(folderEnv), "flotilla")) })

func build(path string, flags ...string) (string, error) {
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	// Without what only debuggers read, linking takes half as long.
	args := append(append([]string{"build", "-ldflags=-s -w", "-o", path}, flags...), "flotilla/cmd/flotilla")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// Bug is a text of a source file, what is put in its place, and what is added at the
// file's end.
type Bug struct {
	File                string // below the module's folder
	Right, Wrong, Added string
}

// Planted returns the path of the program with bugs in it: the compiler takes copies of
// the source files in their places. It fails if a Right is not there once.
func Planted(t *testing.T, bugs ...Bug) string {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	for i, bug := range bugs {
		original := filepath.Join(moduleDir(t), filepath.FromSlash(bug.File))
		text, err := os.ReadFile(original)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), bug.Right) != 1 {
			t.Fatalf("%s has %q not once: the bug can not be planted any more", bug.File, bug.Right)
		}
		replace[original] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		text = []byte(strings.Replace(string(text), bug.Right, bug.Wrong, 1) + bug.Added)
		if err := os.WriteFile(replace[original], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err == nil {
		err = os.WriteFile(list, overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	path, err := build(filepath.Join(dir, "flotilla"), "-overlay", list)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// moduleDir is the folder with go.mod, above that of the test.
func moduleDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && !exists(filepath.Join(dir, "go.mod")) {
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
