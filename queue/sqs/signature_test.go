package sqs

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The published examples of Signature Version 4: of the test suite (service
// "service") and of the guide (service "iam").
func TestSignaturesAreThoseThatWerePublished(t *testing.T) {
	const suiteKey, suiteSecret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	tests := []struct{ method, target, host, service, headers, contentType, body, sum string }{
		{"GET", "/", "example.amazonaws.com", "service", "host;x-amz-date", "", "",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"GET", "/?Param2=value2&Param1=value1", "example.amazonaws.com", "service", "host;x-amz-date", "", "",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"POST", "/", "example.amazonaws.com", "service", "host;x-amz-date", "", "",
			"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"POST", "/", "example.amazonaws.com", "service", "content-type;host;x-amz-date", "application/x-www-form-urlencoded", "Param1=value1",
			"ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		{"GET", "/?Action=ListUsers&Version=2010-05-08", "iam.amazonaws.com", "iam", "content-type;host;x-amz-date",
			"application/x-www-form-urlencoded; charset=utf-8", "", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	}
	for _, test := range tests {
		r := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
		r.Host = test.host
		r.Header.Set("X-Amz-Date", "20150830T123600Z")
		if test.contentType != "" {
			r.Header.Set("Content-Type", test.contentType)
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+suiteKey+"/20150830/us-east-1/"+test.service+
			"/aws4_request, SignedHeaders="+test.headers+", Signature="+test.sum)
		s, err := readSignature(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.verify(r, test.host, []byte(test.body), s.deriveKey(suiteSecret)); err != nil {
			t.Errorf("%s %s: %s", test.method, test.target, hex.EncodeToString(s.compute(r, test.host, []byte(test.body), s.deriveKey(suiteSecret))))
		}
		if s.verify(r, test.host, []byte(test.body), s.deriveKey(suiteSecret+"x")) == nil || s.verify(r, test.host, []byte(test.body+"x"), s.deriveKey(suiteSecret)) == nil ||
			s.verify(r, test.host+"x", []byte(test.body), s.deriveKey(suiteSecret)) == nil {
			t.Errorf("%s %s: another secret, body or host is taken, too", test.method, test.target)
		}
	}
}

// signRequest signs as a client does, with the server's own arithmetic.
func signRequest(r *http.Request, body, key, secret string, at time.Time, headers ...string) {
	stamp := at.UTC().Format(timeFormat)
	r.Header.Set("X-Amz-Date", stamp)
	s := &signature{accessKey: key, date: stamp[:8], region: "eu-west-1", service: "sqs", headers: headers, timestamp: stamp}
	sum := hex.EncodeToString(s.compute(r, r.Host, []byte(body), s.deriveKey(secret)))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/"+s.date+"/eu-west-1/sqs/aws4_request, SignedHeaders="+
		strings.Join(headers, ";")+", Signature="+sum)
}

func TestSignedRequestsAreRefusedWithAWSsReasons(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	h, _ := signedDoor()
	h.Now = func() time.Time { return now }
	const body = "Action=ListQueues&Version=2012-11-05"
	replace := func(old, with string) func(r *http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
		}
	}
	tests := []struct {
		name   string
		key    string
		at     time.Time
		spoil  func(r *http.Request)
		status int
		code   string
	}{
		{"as it should be", testKey, now, nil, 200, ""},
		{"14 minutes late", testKey, now.Add(-14 * time.Minute), nil, 200, ""},
		{"14 minutes early", testKey, now.Add(14 * time.Minute), nil, 200, ""},
		{"16 minutes late", testKey, now.Add(-16 * time.Minute), nil, 403, "SignatureDoesNotMatch"},
		{"16 minutes early", testKey, now.Add(16 * time.Minute), nil, 403, "SignatureDoesNotMatch"},
		{"unknown key", "AKIDOTHER", now, nil, 403, "InvalidClientTokenId"},
		{"not signed", testKey, now, func(r *http.Request) { r.Header.Del("Authorization") }, 403, "MissingAuthenticationToken"},
		{"another scheme", testKey, now, func(r *http.Request) { r.Header.Set("Authorization", "Basic abc") }, 400, "IncompleteSignature"},
		{"no signature", testKey, now, replace("Signature=", "X="), 400, "IncompleteSignature"},
		{"half a signature", testKey, now, replace("Signature=", "Signature=00"), 400, "IncompleteSignature"},
		{"no scope", testKey, now, replace("/aws4_request", ""), 400, "IncompleteSignature"},
		{"no date", testKey, now, func(r *http.Request) { r.Header.Del("X-Amz-Date") }, 400, "IncompleteSignature"},
		{"malformed date", testKey, now, func(r *http.Request) { r.Header.Set("X-Amz-Date", "today") }, 400, "IncompleteSignature"},
		{"another service", testKey, now, replace("/sqs/", "/sns/"), 403, "SignatureDoesNotMatch"},
		{"another region", testKey, now, replace("/eu-west-1/", "/eu-west-2/"), 403, "SignatureDoesNotMatch"},
		{"another day", testKey, now, replace("/20260501/", "/20260502/"), 403, "SignatureDoesNotMatch"},
		{"host not signed", testKey, now, replace("host;", ""), 403, "SignatureDoesNotMatch"},
		{"target not signed", testKey, now, func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonSQS.DeleteQueue") }, 403, "SignatureDoesNotMatch"},
		{"another path", testKey, now, func(r *http.Request) { r.URL.Path = "/000000000000/x" }, 403, "SignatureDoesNotMatch"},
		{"another query", testKey, now, func(r *http.Request) { r.URL.RawQuery = "QueueNamePrefix=x" }, 403, "SignatureDoesNotMatch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			signRequest(r, body, test.key, testSecret, test.at, "content-type", "host", "x-amz-date")
			if test.spoil != nil {
				test.spoil(r)
			}
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			text := answer.Body.String() + answer.Header().Get("X-Amzn-Query-Error")
			if answer.Code != test.status || !strings.Contains(text, test.code) {
				t.Errorf("%d %s", answer.Code, text)
			}
		})
	}
}

func TestUnsignedRequestsComeFromThisMachineOnly(t *testing.T) {
	tests := []struct {
		name   string
		from   string
		host   string
		header string // name: value
		spoil  func(h *Handler)
		isOpen bool
	}{
		{name: "loopback", from: "127.0.0.1:5", host: "127.0.0.1:9324", isOpen: true},
		{name: "loopback 6", from: "[::1]:5", host: "[::1]:9324", isOpen: true},
		{name: "localhost", from: "127.0.0.1:5", host: "localhost:9324", isOpen: true},
		{name: "name of a container", from: "127.0.0.1:5", host: "queue:9324", isOpen: true},
		{name: "elsewhere", from: "10.0.0.7:5", host: "10.0.0.1:9324"},
		{name: "elsewhere, let in", from: "10.0.0.7:5", host: "10.0.0.1:9324", spoil: func(h *Handler) { h.AllowUnsigned = true }, isOpen: true},
		{name: "rebound name", from: "127.0.0.1:5", host: "evil.example:9324"},
		{name: "configured name", from: "127.0.0.1:5", host: "q.example:9324", spoil: func(h *Handler) { h.Hosts = []string{"q.example"} }, isOpen: true},
		{name: "page elsewhere", from: "127.0.0.1:5", host: "localhost:9324", header: "Sec-Fetch-Site: cross-site"},
		{name: "page by origin", from: "127.0.0.1:5", host: "localhost:9324", header: "Origin: https://evil.example"},
		{name: "proxy", from: "127.0.0.1:5", host: "localhost:9324", header: "X-Forwarded-For: 10.0.0.7"},
		{name: "trusted proxy", from: "127.0.0.1:5", host: "localhost:9324", header: "X-Forwarded-For: 10.0.0.7",
			spoil: func(h *Handler) { h.TrustForwarded = true }, isOpen: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &Handler{Service: newFake()}
			if test.spoil != nil {
				test.spoil(h)
			}
			r := httptest.NewRequest("GET", "/?Action=ListQueues", nil)
			r.RemoteAddr, r.Host = test.from, test.host
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				r.Header.Set(name, value)
			}
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			if isOpen := answer.Code == 200; isOpen != test.isOpen || !isOpen && (answer.Code != 403 || h.Stats().Denied != 1) {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
		})
	}
}

func TestSignaturesHoldBehindATrustedProxy(t *testing.T) {
	for _, isTrusted := range []bool{true, false} {
		h, _ := signedDoor()
		h.TrustForwarded = isTrusted
		const body = "Action=CreateQueue&QueueName=jobs"
		r := httptest.NewRequest("POST", "http://q.example/", strings.NewReader(body))
		signRequest(r, body, testKey, testSecret, time.Now(), "host", "x-amz-date")
		r.Host = "10.0.0.1:9324" // as the proxy addresses us
		r.Header.Set("X-Forwarded-Host", "q.example")
		r.Header.Set("X-Forwarded-Proto", "https")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		isAnswered := strings.Contains(answer.Body.String(), "<QueueUrl>https://q.example/000000000000/jobs</QueueUrl>")
		if isAnswered != isTrusted {
			t.Errorf("trusted %v: %d %s", isTrusted, answer.Code, answer.Body)
		}
	}
}

// TestSignaturesHoldForTheBaseURL: a proxy may put another host into a request than the one
// that the client signed for, which is the one that it was told.
func TestSignaturesHoldForTheBaseURL(t *testing.T) {
	for _, test := range []struct {
		name, base, signedFor, from string
		want                        int
	}{
		{"the host that it was told", "https://q.example", "q.example", "10.0.0.1:9324", 200},
		{"with a port", "https://q.example:8443/", "q.example:8443", "10.0.0.1:9324", 200},
		{"the host that it reached", "https://q.example", "10.0.0.1:9324", "10.0.0.1:9324", 200},
		{"the host that others reached", "https://q.example", "10.0.0.2:9324", "10.0.0.1:9324", 403},
		{"another port", "https://q.example:8443", "q.example", "10.0.0.1:9324", 403},
		{"none was told", "", "q.example", "10.0.0.1:9324", 403},
	} {
		h, _ := signedDoor()
		h.BaseURL = test.base
		const body = "Action=CreateQueue&QueueName=jobs"
		r := httptest.NewRequest("POST", "http://"+test.signedFor+"/", strings.NewReader(body))
		signRequest(r, body, testKey, testSecret, time.Now(), "host", "x-amz-date")
		link := presign(t, "http://"+test.signedFor+"/?Action=ListQueues&X-Amz-Expires=60", time.Now())
		for _, r := range []*http.Request{r, httptest.NewRequest("GET", link, nil)} {
			r.Host = test.from
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			if answer.Code != test.want || test.want != 200 && !strings.Contains(answer.Body.String(), "<Code>SignatureDoesNotMatch</Code>") {
				t.Errorf("%s, %s: %d %s", test.name, r.Method, answer.Code, answer.Body)
			}
		}
	}
}

// TestRegionsAreThoseSignedFor: where nobody verifies a signature, its scope still says in
// which region a client means to be.
func TestRegionsAreThoseSignedFor(t *testing.T) {
	const scope = "a/20261127/eu-west-1/sqs/aws4_request"
	for _, test := range []struct{ name, query, header, want string }{
		{name: "not signed", want: DefaultRegion},
		{name: "header", header: "AWS4-HMAC-SHA256 Credential=" + scope + ", SignedHeaders=host, Signature=00", want: "eu-west-1"},
		{name: "presigned", query: "&X-Amz-Credential=" + strings.ReplaceAll(scope, "/", "%2F"), want: "eu-west-1"},
		{name: "presigned, not escaped", query: "&X-Amz-Credential=" + scope, want: "eu-west-1"},
		{name: "both", query: "&X-Amz-Credential=" + scope, header: "AWS4-HMAC-SHA256 Credential=a/20261127/eu-west-2/sqs/aws4_request", want: "eu-west-2"},
		{name: "basic authentication", query: "&X-Amz-Credential=" + scope, header: "Basic YTpi", want: "eu-west-1"},
		{name: "no region", query: "&X-Amz-Credential=a/20261127", want: DefaultRegion},
		{name: "no name of a region", query: "&X-Amz-Credential=a/20261127/eu:west/sqs/aws4_request", want: DefaultRegion},
	} {
		h := openDoor(newFake())
		var text string
		for _, action := range []string{"CreateQueue&QueueName=jobs", "GetQueueAttributes&QueueUrl=jobs&AttributeName=QueueArn"} {
			r := httptest.NewRequest("GET", "/?Action="+action+test.query, nil)
			r.Header.Set("Authorization", test.header)
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			text = answer.Body.String()
		}
		if !strings.Contains(text, "<Value>arn:aws:sqs:"+test.want+":000000000000:jobs</Value>") {
			t.Errorf("%s: %s", test.name, text)
		}
	}
}

// TestParametersAreSignedInOrderOfTheirNames: one that begins like another comes behind it, whatever it goes on with.
func TestParametersAreSignedInOrderOfTheirNames(t *testing.T) {
	h, _ := signedDoor()
	link := "http://127.0.0.1:9324/000000000000/jobs?Action=GetQueueAttributes&X-Amz-Expires=60"
	for i, name := range []string{"All", "QueueArn", "DelaySeconds", "VisibilityTimeout", "CreatedTimestamp", "Policy", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy"} {
		link += fmt.Sprintf("&AttributeName.%d=%s", i+1, name)
	}
	answer := httptest.NewRecorder()
	r := httptest.NewRequest("GET", presign(t, link, time.Now()), nil)
	r.Host = "127.0.0.1:9324"
	h.ServeHTTP(answer, r)
	if answer.Code == http.StatusForbidden {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
