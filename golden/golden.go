package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write files that are made from the code instead of comparing with them")

// File fails the test if the file is not want. With -update it writes it instead.
func File(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		dir, err := os.Getwd()
		t.Fatalf("%s is stale: go test ./%s -run %s -update (%v)", filepath.ToSlash(path), filepath.Base(dir), t.Name(), err)
	}
}
