package sqs

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"flotilla/queue"
	"flotilla/queue/intake"
)

// Handler is the queue's door as an http.Handler. Set the fields, then serve; they
// must not be changed after that.
type Handler struct {
	// Service carries out the requests.
	Service Service
	// Credentials are secrets by access key. Without any, requests are taken unsigned,
	// from this machine only.
	Credentials map[string]string
	// AllowUnsigned takes unsigned requests from anywhere, if there are no Credentials.
	AllowUnsigned bool
	// Hosts are names of this machine by which it may be addressed unsigned, besides
	// addresses, names without a dot and localhost.
	Hosts []string
	// BaseURL is what the addresses of queues begin with, as https://queue.example.com,
	// without a path; empty means the name under which each client reached the door.
	// Signatures for its host are good, too.
	BaseURL string
	// TrustForwarded believes the headers X-Forwarded-Proto, -Host and -Port. Set it only
	// behind a proxy that sets or removes them.
	TrustForwarded bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log may be nil.
	Log *slog.Logger

	once   sync.Once
	intake intake.Intake
	keys   signingKeys
	idle   sync.Pool // of *buffers
}

// Stats returns what the handler has counted since it started.
func (h *Handler) Stats() intake.Stats { return h.intake.Stats() }

func (h *Handler) start() {
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// ServeHTTP answers one request, in the protocol in which it was asked.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.start)
	hasRoom := h.intake.Begin()
	defer h.intake.End()
	x := exchange{w: w, r: r, id: newRequestID(), isJSON: isJSON(r)}
	defer func() {
		if reason := recover(); reason != nil {
			h.intake.Panics.Add(1)
			h.Log.Error("a request failed: this is a bug", "err", reason, "request", x.id, "stack", string(debug.Stack()))
			x.fail(Errorf(InternalFailure, "We encountered an internal error. Please try again."))
		}
	}()
	if !hasRoom {
		x.fail(Errorf(ServiceUnavailable, "Too many requests are being answered. Try again."))
		return
	}
	action, out, err := h.answer(&x)
	if err != nil {
		h.fail(&x, asError(err))
		return
	}
	x.succeed(h, action, out)
}

func (h *Handler) fail(x *exchange, e *Error) {
	h.intake.Errors.Add(1)
	switch e.Kind {
	case MissingAuthenticationToken, IncompleteSignature, InvalidClientTokenID, SignatureDoesNotMatch, RequestExpired, AccessDenied:
		h.intake.Denied.Add(1)
	}
	if e.Kind == InternalFailure {
		h.Log.Warn("a request failed", "err", e.Message, "request", x.id)
	}
	x.fail(e)
}

// answer takes a request from its bytes to its result. Checks come in the order in
// which they get expensive.
func (h *Handler) answer(x *exchange) (*action, shape, error) {
	r := x.r
	if r.Method != http.MethodPost && (x.isJSON || r.Method != http.MethodGet) {
		return nil, nil, Errorf(InvalidAction, "The method %.20s is not valid for this endpoint.", r.Method)
	}
	signed, err := h.admit(r)
	if err != nil {
		return nil, nil, err
	}
	action, in, release, err := h.read(x, signed)
	defer release()
	if err != nil {
		return nil, nil, err
	}
	caller := h.caller(x, signed)
	ctx := queue.WithCaller(r.Context(), queue.Caller{Address: r.RemoteAddr, Key: caller.AccessKey})
	out, err := action.call(ctx, h.Service, caller, in)
	if err != nil {
		return nil, nil, err
	}
	if result, ok := out.(completer); ok {
		result.complete(h, in)
	}
	return action, out, nil
}

// read takes the request in. The buffers that it uses are given back before the
// request is carried out, which may take long; release gives back what the body counts as.
func (h *Handler) read(x *exchange, signed *signature) (a *action, in shape, release func(), err error) {
	b := h.takeBuffers()
	defer h.freeBuffers(b)
	release, err = h.readBody(x.r, b)
	if err != nil {
		return nil, nil, release, err
	}
	if signed != nil && len(h.Credentials) > 0 {
		if err := h.verify(signed, x.r, b.bytes); err != nil {
			return nil, nil, release, err
		}
	}
	if a, in, err = parse(x, b); err == nil {
		err = h.prepare(in, x.r.URL.Path, &b.stack)
	}
	return a, in, release, err
}

// parse finds the action and reads its request.
func parse(x *exchange, b *buffers) (*action, shape, error) {
	body := b.bytes
	if x.isJSON {
		target := x.r.Header.Get("X-Amz-Target")
		name, ok := strings.CutPrefix(target, "AmazonSQS.")
		action := actions[name]
		if !ok || action == nil {
			return nil, nil, unknownAction(target)
		}
		in := action.make()
		if err := decodeJSON(body, in, &b.stack); err != nil {
			return nil, nil, Errorf(Serialization, "The request is malformed: %.200s", err.Error())
		}
		return action, in, nil
	}
	var parameters form
	for _, text := range []string{x.r.URL.RawQuery, string(body)} {
		if err := parameters.parse(text); err != nil {
			return nil, nil, Errorf(MalformedQueryString, "The query string contains a syntax error: %.200s", err.Error())
		}
	}
	if version := parameters.get("Version"); version != "" && version != apiVersion {
		return nil, nil, Errorf(NoSuchVersion, "The version %.40s is not known: use %s.", version, apiVersion)
	}
	name := parameters.get("Action")
	if name == "" {
		return nil, nil, Errorf(MissingAction, "The request must contain the parameter Action.")
	}
	action := actions[name]
	if action == nil {
		return nil, nil, unknownAction(name)
	}
	in := action.make()
	if err := decodeForm(&parameters, in); err != nil {
		return nil, nil, Errorf(InvalidParameterValue, "The request is malformed: %.200s", err.Error())
	}
	return action, in, nil
}

func unknownAction(name string) error {
	return Errorf(InvalidAction, "The action %.80s is not valid for this endpoint.", name)
}

// prepare checks a request, and fills in what it means. A request may name its
// queue by the path that it was sent to.
func (h *Handler) prepare(in shape, path string, stack *fieldStack) (err error) {
	if t, ok := in.(interface{ where() *target }); ok {
		at := t.where()
		if at.QueueURL == "" && path != "/" {
			at.QueueURL = path
		}
		if at.QueueURL != "" {
			if at.Queue, err = QueueOfURL(at.QueueURL); err != nil {
				return err
			}
		}
	}
	if name := missing(in, stack); name != "" {
		return Errorf(MissingParameter, "The request must contain the parameter %s.", name)
	}
	if c, ok := in.(checker); ok {
		return c.check(h)
	}
	return nil
}

func (h *Handler) caller(x *exchange, signed *signature) Caller {
	caller := Caller{AccessKey: "anonymous", Region: DefaultRegion, RequestID: x.id, Base: h.base(x.r)}
	if signed != nil {
		caller.AccessKey, caller.Region = signed.accessKey, signed.region
	} else if region := regionOf(x.r); region != "" {
		caller.Region = region
	}
	return caller
}
