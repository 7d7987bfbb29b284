package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
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

// TestQueueURL: what is told to clients has to be an address under which they find their queues,
// and is told as they sign for it.
func TestQueueURL(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"https://queue.example.com":      "https://queue.example.com",
		"https://queue.example.com/":     "https://queue.example.com",
		"http://127.0.0.1:9324":          "http://127.0.0.1:9324",
		"http://[::1]:9324/":             "http://[::1]:9324",
		"HTTPS://Queue.Example.com:443":  "https://queue.example.com",
		"http://queue.example.com:80/":   "http://queue.example.com",
		"https://queue.example.com:80":   "https://queue.example.com:80",
		"https://queue.example.com:":     "https://queue.example.com",
		"https://apps.example.com/sqs":   "refused",
		"https://apps.example.com//":     "refused",
		"https://apps.example.com/%2F":   "refused",
		"https://queue.example.com?a=b":  "refused",
		"https://queue.example.com/#top": "refused",
		"https://me@queue.example.com":   "refused",
		"https://:9324":                  "refused",
		"queue.example.com":              "refused",
		"ftp://queue.example.com":        "refused",
	} {
		got, err := checkQueueURL(text)
		if err != nil {
			got = "refused"
			if !strings.Contains(err.Error(), "--queue-url="+text+": write it as https://queue.example.com, ") {
				t.Errorf("%s: %v", text, err)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
