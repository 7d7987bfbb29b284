package sqs

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestQueuesAreFoundByAnyAddress(t *testing.T) {
	for address, want := range map[string]string{
		"http://127.0.0.1:9324/000000000000/jobs":                    "jobs",
		"https://sqs.eu-west-1.amazonaws.com/000000000000/jobs.fifo": "jobs.fifo",
		"/000000000000/jobs":                                         "jobs",
		"000000000000/jobs":                                          "jobs",
		"jobs":                                                       "jobs",
		"http://h/123456789012/jobs":                                 "InvalidAddress",
		"http://h/":                                                  "InvalidAddress",
		"/":                                                          "InvalidAddress",
		"http://h/000000000000/a/b":                                  "AWS.SimpleQueueService.NonExistentQueue",
		"http://h/000000000000/a%2Fb":                                "AWS.SimpleQueueService.NonExistentQueue",
		"http://h/000000000000/" + strings.Repeat("a", 81): "AWS.SimpleQueueService.NonExistentQueue",
		"http://%zz/000000000000/a":                        "InvalidAddress",
	} {
		got, err := QueueOfURL(address)
		if err != nil {
			got = asError(err).Code()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	for arn, want := range map[string]string{
		"arn:aws:sqs:eu-west-1:000000000000:jobs": "jobs", "arn:aws-cn:sqs:x:000000000000:a.fifo": "a.fifo",
		"arn:aws:sns:eu-west-1:000000000000:jobs": "", "arn:aws:sqs:eu-west-1:1:jobs": "", "jobs": "", "arn:aws:sqs:e:000000000000:": "",
	} {
		if got, ok := QueueOfARN(arn); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s %v", arn, got, ok)
		}
	}
}

func TestQueuesAreToldUnderTheNameThatReachesThem(t *testing.T) {
	tests := []struct {
		name, headers string
		h             Handler
		isTLS         bool
		want          string
	}{
		{name: "host", want: "http://queue.local:9324"},
		{name: "TLS", isTLS: true, want: "https://queue.local:9324"},
		{name: "configured", h: Handler{BaseURL: "https://q.example/"}, headers: "X-Forwarded-Host: other", want: "https://q.example"},
		{name: "proxy, not trusted", headers: "X-Forwarded-Host: evil.example", want: "http://queue.local:9324"},
		{name: "proxy", h: Handler{TrustForwarded: true}, headers: "X-Forwarded-Host: q.example, x\nX-Forwarded-Proto: https", want: "https://q.example"},
		{name: "proxy with port", h: Handler{TrustForwarded: true}, headers: "X-Forwarded-Host: q.example\nX-Forwarded-Port: 8443\nX-Forwarded-Proto: https",
			want: "https://q.example:8443"},
		{name: "proxy with nonsense", h: Handler{TrustForwarded: true}, headers: "X-Forwarded-Host: a/b\nX-Forwarded-Proto: ftp", want: "http://queue.local:9324"},
	}
	for i := range tests {
		test := &tests[i]
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = "queue.local:9324"
		if test.isTLS {
			r.TLS = &tls.ConnectionState{}
		}
		for header := range strings.SplitSeq(test.headers, "\n") {
			name, value, _ := strings.Cut(header, ": ")
			if name != "" {
				r.Header.Set(name, value)
			}
		}
		if got := test.h.base(r); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
