package sqs

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AWS's Signature Version 4, the server's side.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
const (
	algorithm   = "AWS4-HMAC-SHA256"
	timeFormat  = "20060102T150405Z"
	maxSkew     = 15 * time.Minute
	maxPresign  = 7 * 24 * time.Hour
	serviceName = "sqs"
)

// signature is what a request says of how it was signed, in the header
// Authorization or, if presigned, in the URL.
type signature struct {
	accessKey, date, region, service string
	headers                          []string // those that are signed, in order
	sum                              []byte
	timestamp                        string
	expires                          time.Duration // of a presigned one
	isPresigned                      bool
}

// readSignature returns nil for a request that is not signed.
func readSignature(r *http.Request) (*signature, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return readHeader(r, header)
	}
	if query := r.URL.Query(); query.Has("X-Amz-Signature") || query.Has("X-Amz-Algorithm") {
		return readPresigned(query)
	}
	return nil, nil
}

// regionOf returns the region in the scope of a signature that nobody verifies, in the
// header or in the URL; "" if there is none.
func regionOf(r *http.Request) string {
	_, scope, isInHeader := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !isInHeader && r.URL.RawQuery != "" {
		scope = r.URL.Query().Get("X-Amz-Credential")
	}
	for range 2 { // access key, date
		_, scope, _ = strings.Cut(scope, "/")
	}
	region, _, _ := strings.Cut(scope, "/")
	if !isRegion(region) {
		return ""
	}
	return region
}

func incomplete(what string) *Error { return Errorf(IncompleteSignature, "%s", what) }

func readHeader(r *http.Request, header string) (*signature, error) {
	rest, ok := strings.CutPrefix(header, algorithm)
	if !ok {
		return nil, incomplete("Unsupported AWS 'algorithm': only " + algorithm + " is.")
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			return nil, incomplete("Authorization header requires '" + name + "' parameter.")
		}
	}
	s := &signature{timestamp: r.Header.Get("X-Amz-Date")}
	if s.timestamp == "" {
		date, err := http.ParseTime(r.Header.Get("Date"))
		if err != nil {
			return nil, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
		}
		s.timestamp = date.UTC().Format(timeFormat)
	}
	return s, s.read(parts["Credential"], parts["SignedHeaders"], parts["Signature"])
}

func readPresigned(query url.Values) (*signature, error) {
	if query.Get("X-Amz-Algorithm") != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': only " + algorithm + " is.")
	}
	for _, name := range []string{"X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if query.Get(name) == "" {
			return nil, incomplete("AWS query-string parameters must include '" + name + "'.")
		}
	}
	s := &signature{isPresigned: true, timestamp: query.Get("X-Amz-Date"), expires: maxSkew}
	if text := query.Get("X-Amz-Expires"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 || seconds > int(maxPresign/time.Second) {
			return nil, incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800.")
		}
		s.expires = time.Duration(seconds) * time.Second
	}
	return s, s.read(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"))
}

func (s *signature) read(credential, headers, sum string) error {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[0] == "" || scope[4] != "aws4_request" {
		return incomplete("Credential must have the form <access key>/<date>/<region>/<service>/aws4_request.")
	}
	s.accessKey, s.date, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
	if !isRegion(s.region) {
		return incomplete("Credential should be scoped to a valid region.")
	}
	s.headers = strings.Split(strings.ToLower(headers), ";")
	var err error
	if s.sum, err = hex.DecodeString(sum); err != nil || len(s.sum) != sha256.Size {
		return incomplete("The signature must have 64 hexadecimal digits.")
	}
	return nil
}

// isRegion keeps what stands in ARNs to what a region can be called.
func isRegion(s string) bool {
	return s != "" && len(s) <= 64 && hasOnly(s, isWord)
}

// checkScope checks all that needs neither the secret nor the body.
func (s *signature) checkScope(r *http.Request, now time.Time) error {
	if s.service != serviceName {
		return Errorf(SignatureDoesNotMatch, "Credential should be scoped to correct service: '%s'.", serviceName)
	}
	if !slices.Contains(s.headers, "host") {
		return Errorf(SignatureDoesNotMatch, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(s.headers, lower) {
			return Errorf(SignatureDoesNotMatch, "'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	signedAt, err := time.Parse(timeFormat, s.timestamp)
	if err != nil {
		return incomplete("Date must be in ISO-8601 'basic format', as " + timeFormat + ".")
	}
	if s.date != s.timestamp[:8] {
		return Errorf(SignatureDoesNotMatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	return s.checkTime(signedAt, now)
}

func (s *signature) checkTime(signedAt, now time.Time) error {
	if signedAt.After(now.Add(maxSkew)) {
		return Errorf(SignatureDoesNotMatch, "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			s.timestamp, now.Add(maxSkew).UTC().Format(timeFormat), now.UTC().Format(timeFormat))
	}
	if s.isPresigned {
		if now.After(signedAt.Add(s.expires)) {
			return Errorf(RequestExpired, "Request has expired: it was valid for %d seconds from %s.", int(s.expires/time.Second), s.timestamp)
		}
		return nil
	}
	if signedAt.Before(now.Add(-maxSkew)) {
		return Errorf(SignatureDoesNotMatch, "Signature expired: %s is now earlier than %s (%s - 15 min.)",
			s.timestamp, now.Add(-maxSkew).UTC().Format(timeFormat), now.UTC().Format(timeFormat))
	}
	return nil
}

// verify computes the signature anew, and compares in constant time.
func (s *signature) verify(r *http.Request, host string, body, key []byte) error {
	if hmac.Equal(s.compute(r, host, body, key), s.sum) {
		return nil
	}
	return Errorf(SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func (s *signature) compute(r *http.Request, host string, body, key []byte) []byte {
	canonical := sha256.Sum256([]byte(s.canonical(r, host, body)))
	return sum(key, algorithm+"\n"+s.timestamp+"\n"+s.scope()+"\n"+hex.EncodeToString(canonical[:]))
}

func (s *signature) scope() string {
	return s.date + "/" + s.region + "/" + s.service + "/aws4_request"
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// deriveKey returns what a secret signs with on a day, in a region, for a service.
func (s *signature) deriveKey(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.date, s.region, s.service, "aws4_request"} {
		key = sum(key, part)
	}
	return key
}

// verify checks a signature for the host that the client addressed, or else, as a proxy may
// have put its own word there, for the one of the addresses that clients are told.
func (h *Handler) verify(s *signature, r *http.Request, body []byte) error {
	key := h.signingKey(s)
	err := s.verify(r, h.host(r), body, key)
	if err != nil && h.BaseURL != "" {
		_, host, _ := strings.Cut(h.base(r), "://")
		err = s.verify(r, host, body, key)
	}
	return err
}

// maxSigningKeys is how many derived keys are kept: one for each access key, day and region.
const maxSigningKeys = 256

// signingKeys keeps derived keys, which take most of the time that a signature takes.
type signingKeys struct {
	mu  sync.Mutex
	all map[string][]byte // guarded by mu, by access key and scope
}

// signingKey returns the key that a request is to be signed with.
func (h *Handler) signingKey(s *signature) []byte {
	name := s.accessKey + "/" + s.scope()
	h.keys.mu.Lock()
	defer h.keys.mu.Unlock()
	key := h.keys.all[name]
	if key == nil {
		key = s.deriveKey(h.Credentials[s.accessKey])
		if h.keys.all == nil || len(h.keys.all) >= maxSigningKeys {
			h.keys.all = map[string][]byte{} // old days' and odd regions' go
		}
		h.keys.all[name] = key
	}
	return key
}

// canonical is the request as both sides write it down.
func (s *signature) canonical(r *http.Request, host string, body []byte) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.URL) + "\n" + canonicalQuery(r.URL.RawQuery) + "\n")
	for _, name := range s.headers {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	sum := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + hex.EncodeToString(sum[:]))
	return b.String()
}

// canonicalPath is the path without its dots, escaped once more than it was sent.
func canonicalPath(u *url.URL) string {
	sent := u.EscapedPath()
	clean := path.Clean("/" + sent)
	if strings.HasSuffix(sent, "/") && clean != "/" {
		clean += "/"
	}
	return strings.ReplaceAll(escape(clean), "%2F", "/")
}

// canonicalQuery is the query in order, without the signature itself.
func canonicalQuery(raw string) string {
	var pairs [][2]string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if pair != "" && nameErr == nil && valueErr == nil && name != "X-Amz-Signature" {
			pairs = append(pairs, [2]string{escape(name), escape(value)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { // by name first: that one name begins with another, and goes on with what is less than =, changes nothing
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	var b strings.Builder
	for i, pair := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pair[0] + "=" + pair[1])
	}
	return b.String()
}

// escape is AWS's URI encoding: all but letters, digits and - . _ ~.
func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; isWord(c) || c == '.' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
