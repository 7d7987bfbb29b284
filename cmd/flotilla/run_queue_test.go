package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// TestQueueKeys reads a file as people write it, and says who may come in without one.
func TestQueueKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# ours\nAKAPP  s3cr=t/\r\n\n\tAKOPS\tother\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file, password string
		want           map[string]string
	}{
		{file, "", map[string]string{"AKAPP": "s3cr=t/", "AKOPS": "other"}},
		{file, "p", map[string]string{"AKAPP": "s3cr=t/", "AKOPS": "other"}},
		{"", "p", map[string]string{"flotilla": "p"}},
		{"", "", nil},
	} {
		got, err := readQueueKeys(test.file, test.password)
		if err != nil || !maps.Equal(got, test.want) {
			t.Errorf("file %q, password %q: %v, %v", test.file, test.password, got, err)
		}
	}
}
