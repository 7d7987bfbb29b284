package rest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"flotilla"
	"flotilla/queue"
	"flotilla/queue/intake"
)

// Handler is the native API as an http.Handler, for paths below /api/queue/. Set the
// fields, then serve; they must not be changed after that.
type Handler struct {
	// Client carries out the requests, and Host is its host, whose events tell when
	// jobs end.
	Client *queue.Client
	Host   flotilla.Host
	// Credentials are secrets by access key. Without any, requests are taken from this
	// machine only.
	Credentials map[string]string
	// AllowUnsigned takes requests from anywhere, if there are no Credentials.
	AllowUnsigned bool
	// Hosts are names of this machine by which it may be addressed without credentials,
	// besides addresses, names without a dot and localhost.
	Hosts []string
	// Log may be nil.
	Log *slog.Logger

	once    sync.Once
	mux     *http.ServeMux
	waiters waiters
	intake  intake.Intake
}

// Stats returns what the handler has counted since it started.
func (h *Handler) Stats() intake.Stats { return h.intake.Stats() }

// maxWaitSeconds is the longest long poll. See docs/limits.md.
const maxWaitSeconds = 20

func (h *Handler) start() {
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	h.mux = h.routeMux(prefix, h.caller)
	h.mux.HandleFunc("GET "+descriptionPath, h.description)
	h.mux.Handle(descriptionPath, h.wrongMethod([]string{"GET"}))
	h.waiters.listen(h.Host)
}

// Close ends the subscription to the host's events, once nothing is served any more.
func (h *Handler) Close() {
	h.once.Do(h.start)
	h.waiters.cancel()
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.start)
	h.answer(w, r, h.mux, h.admit)
}

// Inside returns the same API below another prefix, for whoever serves it as a part of
// something that checks by itself who may come in: nobody is refused here, web pages
// neither, and no key is asked for. Messages are sent in the caller's name. It counts,
// and is bounded, with all the handler's requests. It never changes, and may be called at
// any time before Close.
func (h *Handler) Inside(prefix, caller string) http.Handler {
	h.once.Do(h.start)
	mux := h.routeMux(prefix, func(*http.Request) string { return caller })
	everyone := func(*http.Request) *Problem { return nil }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, mux, everyone) })
}

// answer answers one request, if it is one that may come in.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, mux *http.ServeMux, admit func(*http.Request) *Problem) {
	hasRoom := h.intake.Begin()
	defer h.intake.End()
	defer func() {
		if reason := recover(); reason != nil {
			h.intake.Panics.Add(1)
			h.Log.Error("a request failed: this is a bug", "err", reason, "stack", string(debug.Stack()))
			h.fail(w, &Problem{Code: CodeInternal, Status: http.StatusInternalServerError, MayHaveHappened: true, Message: "This is a bug."})
		}
	}()
	if !hasRoom {
		h.fail(w, problem(http.StatusServiceUnavailable, CodeBusy, "Too many requests are being answered: try again."))
		return
	}
	if p := admit(r); p != nil {
		h.intake.Denied.Add(1)
		h.fail(w, p)
		return
	}
	mux.ServeHTTP(w, r)
}

// caller returns the access key that a request came with.
func (h *Handler) caller(r *http.Request) string {
	if len(h.Credentials) == 0 {
		return "anonymous"
	}
	key, _, _ := r.BasicAuth()
	return key
}

// serve takes a request of one route from its bytes to its reply.
func (h *Handler) serve(route route, caller func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := readArgs(route, r, caller(r))
		if err != nil {
			h.fail(w, problemOf(err))
			return
		}
		var in any
		if route.in != nil {
			body, release, err := h.readBody(r)
			defer release()
			if err == nil {
				in = route.in()
				err = decode(r, body, in)
			}
			if err != nil {
				h.fail(w, problemOf(err))
				return
			}
		}
		ctx := queue.WithCaller(r.Context(), queue.Caller{Address: r.RemoteAddr, Key: a.caller})
		out, err := route.call(h, ctx, a, in)
		if err != nil {
			h.fail(w, problemOf(err))
			return
		}
		if out == (nothing{}) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.write(w, http.StatusOK, out)
	}
}

// readArgs reads path and query. What nobody knows is refused: a slip in a parameter's
// name must not be passed over.
func readArgs(route route, r *http.Request, caller string) (a args, err error) {
	a = args{path: map[string]string{}, query: map[string]string{}, caller: caller}
	for _, name := range parameters(route.path) {
		a.path[name] = r.PathValue(name)
		if !utf8.ValidString(a.path[name]) {
			return a, malformed("the path is not UTF-8")
		}
		if name == "queue" && strings.Contains(a.path[name], "/") { // a partition's, which only its queue may touch
			return a, queue.NoSuchQueue()
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return a, malformed("the query can not be read: " + err.Error())
	}
	for name, values := range query {
		if !slices.Contains(route.query, name) || len(values) != 1 || !utf8.ValidString(values[0]) {
			return a, malformed(fmt.Sprintf("the query parameter %.40q is unknown here, given twice, or not UTF-8", name))
		}
		a.query[name] = values[0]
	}
	return a, nil
}

// number returns a query parameter that is a number, or standard if it was not given.
func (a args) number(name string, standard, least, most int64) (int64, error) {
	text, ok := a.query[name]
	if !ok {
		return standard, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < least || value > most {
		return 0, malformed(fmt.Sprintf("%s=%.20s: give a number from %d to %d", name, text, least, most))
	}
	return value, nil
}

func malformed(what string) *Problem {
	return problem(http.StatusBadRequest, CodeMalformed, "The request is malformed: "+what+".")
}

// decode reads a body. Members that nobody knows are refused: a slip in the name of,
// say, delay_seconds must not send a message at once.
func decode(r *http.Request, body []byte, in any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problem(http.StatusUnsupportedMediaType, CodeNotJSON, "Send JSON, with the header Content-Type: application/json.")
	}
	if !utf8.Valid(body) {
		return malformed("the body is not UTF-8")
	}
	if hasLoneSurrogate(body) {
		return malformed("a string holds half of a surrogate pair")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		if errors.Is(err, io.EOF) {
			return malformed("there is no body")
		}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return malformed(fmt.Sprintf("%.100s: a %s does not belong here", wrong.Field, wrong.Value))
		}
		return malformed(fmt.Sprintf("%.200s", strings.TrimPrefix(err.Error(), "json: ")))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed("there is more behind the object")
	}
	return nil
}

// hasLoneSurrogate reports whether JSON text holds \ud800 to \udfff outside a pair.
// The library would put U+FFFD there, and what is read would not be what was sent.
func hasLoneSurrogate(raw []byte) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		first, ok := surrogate(raw[i-1:])
		if !ok {
			continue
		}
		second, isNext := surrogate(raw[min(i+5, len(raw)):])
		if first >= 0xdc00 || !isNext || second < 0xdc00 {
			return true
		}
		i += 10 // behind the second one
	}
	return false
}

// surrogate reads \udXXX at the start of raw, if it is there.
func surrogate(raw []byte) (half uint64, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	half, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	return half, err == nil && half >= 0xd800 && half < 0xe000
}

// readBody reads the body; release gives back what it counts as.
func (h *Handler) readBody(r *http.Request) (body []byte, release func(), err error) {
	body, release, err = h.intake.ReadBody(r, nil)
	switch {
	case errors.Is(err, intake.ErrTooLarge):
		err = problem(http.StatusRequestEntityTooLarge, CodeTooLarge, fmt.Sprintf("A request has at most %d bytes.", intake.MaxBodyBytes))
	case errors.Is(err, intake.ErrBusy):
		err = problem(http.StatusServiceUnavailable, CodeBusy, "Too much is being sent at a time: try again.")
	case err != nil:
		err = malformed("the body did not arrive whole")
	}
	return body, release, err
}

// failure is a Problem as it stands in an answer.
type failure struct {
	Problem *Problem `json:"error"`
}

func (h *Handler) fail(w http.ResponseWriter, p *Problem) {
	h.intake.Errors.Add(1)
	if p.Code == CodeInternal {
		h.Log.Warn("a request failed", "err", p.Message)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="flotilla queue", charset="UTF-8"`)
	}
	h.write(w, p.Status, failure{p})
}

func (h *Handler) write(w http.ResponseWriter, status int, value any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	flotilla.Assert(err == nil, "replies are JSON: %v", err)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(out.Len()))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the client may have gone
}

//go:embed openapi.json
var openapi []byte

// description answers with the API's description.
func (h *Handler) description(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(openapi) // the client may have gone
}
