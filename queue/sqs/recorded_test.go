package sqs

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What real clients said, and were told, is kept in testdata, so that every change
// of the wire shows where no client is installed. record_test.go records anew.

// recordedHost stands in a record for the address that a client used.
const recordedHost = "127.0.0.1:9324"

var requestIDs = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}</RequestId>`)

func renderAnswer(answer *httptest.ResponseRecorder) string {
	text := fmt.Sprintf("< %d %s\n", answer.Code, answer.Header().Get("Content-Type"))
	if code := answer.Header().Get("X-Amzn-Query-Error"); code != "" {
		text += "< X-Amzn-Query-Error: " + code + "\n"
	}
	return text + requestIDs.ReplaceAllString(answer.Body.String(), "ID</RequestId>") + "\n\n"
}

func TestRecordedRequestsGetTheirRecordedAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h := &Handler{Service: newFake(), AllowUnsigned: true}
			for _, exchange := range strings.Split(strings.TrimSuffix(string(text), "\n\n"), "\n\n> ") {
				replay(t, h, "> "+strings.TrimPrefix(exchange, "> "))
			}
		})
	}
}

// replay sends a recorded request again, and compares the answers. Bodies have no
// line feeds of their own, because both protocols escape them.
func replay(t *testing.T, h http.Handler, exchange string) {
	t.Helper()
	said, want, _ := strings.Cut(exchange, "\n< ")
	lines := strings.Split(said, "\n")
	method, target, _ := strings.Cut(strings.TrimPrefix(lines[0], "> "), " ")
	r := httptest.NewRequest(method, target, strings.NewReader(lines[len(lines)-1]))
	for _, line := range lines[1 : len(lines)-1] {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "> "), ": ")
		r.Header.Set(name, value)
	}
	r.Host = recordedHost
	// Regions are in the signature, which is not recorded; it is not verified here.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/20240101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	r.Header.Set("X-Amz-Date", "20240101T000000Z")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	if got := strings.TrimSuffix(renderAnswer(answer), "\n\n"); got != "< "+want {
		t.Errorf("%s\n got %s\nwant < %s", said, got, want)
	}
}
