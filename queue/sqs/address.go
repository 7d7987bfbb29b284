package sqs

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Account is the only one there is.
const Account = "000000000000"

// DefaultRegion is that of requests whose signature names none.
const DefaultRegion = "us-east-1"

// Caller is who asks, and in which words to answer: what a Service may need
// besides the request itself.
type Caller struct {
	// AccessKey is the one that the request is signed with, which was verified;
	// "anonymous" if no signatures are asked for.
	AccessKey string
	// Region is the one of the signature's scope.
	Region string
	// RequestID is that of the answer.
	RequestID string
	// Base is what the addresses of queues begin with, as http://127.0.0.1:9324.
	Base string
}

// URL returns a queue's address, in words that reach it from where the caller is.
func (c Caller) URL(queue string) string { return c.Base + "/" + Account + "/" + queue }

// ARN returns a queue's resource name.
func (c Caller) ARN(queue string) string {
	return "arn:aws:sqs:" + c.Region + ":" + Account + ":" + queue
}

// QueueOfURL returns the name of the queue that a QueueUrl means: an address of any
// host, a path, or a plain name. Only the path counts, because addresses are handed
// on between clients that reach the door under different names.
func QueueOfURL(address string) (queue string, err error) {
	path := address
	if _, rest, isURL := strings.Cut(address, "://"); isURL && !strings.ContainsAny(rest, "%?#") {
		_, path, _ = strings.Cut(rest, "/")
	} else if isURL {
		parsed, err := url.Parse(address)
		if err != nil {
			return "", badAddress(address)
		}
		path = parsed.Path
	}
	path = strings.TrimPrefix(path, "/")
	if account, name, isPath := strings.Cut(path, "/"); isPath {
		if account != Account {
			return "", badAddress(address)
		}
		path = name
	}
	if path == "" {
		return "", badAddress(address)
	}
	if nameError(path) != nil {
		return "", NoSuchQueue() // no queue can have this name
	}
	return path, nil
}

func badAddress(address string) *Error {
	return Errorf(InvalidAddress, "The address %.200s is not valid for this endpoint.", address)
}

// QueueOfARN returns the name of the queue that a resource name means, of any region.
func QueueOfARN(arn string) (queue string, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "sqs" || parts[4] != Account {
		return "", false
	}
	return parts[5], nameError(parts[5]) == nil
}

// base is what the addresses begin with that this request's answer tells: BaseURL
// if it is set; otherwise the name under which the client reached the door.
func (h *Handler) base(r *http.Request) string {
	if h.BaseURL != "" {
		return strings.TrimSuffix(h.BaseURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if first := h.forwarded(r, "X-Forwarded-Proto"); first == "http" || first == "https" {
		scheme = first
	}
	return scheme + "://" + h.host(r)
}

// host is the name and port that the client addressed.
func (h *Handler) host(r *http.Request) string {
	host := h.forwarded(r, "X-Forwarded-Host")
	if host == "" {
		return r.Host
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		if port := h.forwarded(r, "X-Forwarded-Port"); isDigits(port) && port != "80" && port != "443" {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
	}
	return host
}

// forwarded is what a trusted proxy says of the client's side, the first of several.
func (h *Handler) forwarded(r *http.Request, header string) string {
	if !h.TrustForwarded {
		return ""
	}
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	first = strings.TrimSpace(first)
	if strings.ContainsAny(first, "/\\ \"<>@?#") {
		return ""
	}
	return first
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
