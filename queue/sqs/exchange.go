package sqs

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"flotilla"
	"flotilla/queue/intake"
)

// buffers are what reading a request and writing an answer take, used again and again.
type buffers struct {
	bytes []byte
	stack fieldStack
}

const (
	firstRead = 4 << 10
	// maxKeptBuffer is what a buffer may have grown to and still be used again.
	maxKeptBuffer = 64 << 10
)

func (h *Handler) takeBuffers() *buffers {
	if b, ok := h.idle.Get().(*buffers); ok {
		return b
	}
	return &buffers{bytes: make([]byte, 0, firstRead)}
}

func (h *Handler) freeBuffers(b *buffers) {
	if cap(b.bytes) <= maxKeptBuffer {
		b.bytes = b.bytes[:0]
		h.idle.Put(b)
	}
}

// readBody reads the body into b; release gives back what it counts as.
func (h *Handler) readBody(r *http.Request, b *buffers) (release func(), err error) {
	b.bytes, release, err = h.intake.ReadBody(r, b.bytes)
	switch {
	case errors.Is(err, intake.ErrTooLarge):
		err = Errorf(RequestTooLarge, "The request is too large: at most %d bytes.", intake.MaxBodyBytes)
	case errors.Is(err, intake.ErrBusy):
		err = Errorf(ServiceUnavailable, "Too much is being sent at a time. Try again.")
	case err != nil:
		err = Errorf(Serialization, "The body did not arrive whole.")
	}
	return release, err
}

// exchange is a request and its answer.
type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	id     string
	isJSON bool
}

// isJSON reports whether a request is of AWS JSON rather than of the Query protocol.
func isJSON(r *http.Request) bool {
	return r.Header.Get("X-Amz-Target") != "" || strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-")
}

func (x *exchange) succeed(h *Handler, action *action, out shape) {
	switch {
	case !x.isJSON:
		x.write(http.StatusOK, renderXML(action.name, out, x.id))
	case out == nil:
		x.write(http.StatusOK, []byte("{}"))
	default:
		b := h.takeBuffers()
		defer h.freeBuffers(b)
		b.bytes = appendJSON(b.bytes, out, &b.stack)
		x.write(http.StatusOK, b.bytes)
	}
}

func (x *exchange) fail(e *Error) {
	if !x.isJSON {
		x.write(e.Status(), renderXMLError(e, x.id))
		return
	}
	x.w.Header().Set("X-Amzn-Query-Error", e.Code()+";"+e.fault())
	body, err := json.Marshal(map[string]string{"__type": kinds[e.Kind].shape, "message": e.Message})
	flotilla.Assert(err == nil, "strings are JSON")
	x.write(e.Status(), body)
}

// The values of headers that are always the same. They are never written.
var (
	typeXML  = []string{"text/xml"}
	typeJSON = []string{"application/x-amz-json-1.0"}
	noSniff  = []string{"nosniff"}
)

func (x *exchange) write(status int, body []byte) {
	header := x.w.Header()
	values := [2]string{x.id, strconv.Itoa(len(body))}
	header["X-Amzn-Requestid"] = values[0:1:1]
	header["Content-Length"] = values[1:2:2]
	header["Content-Type"] = typeXML
	if x.isJSON {
		header["Content-Type"] = typeJSON
	}
	header["X-Content-Type-Options"] = noSniff
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // the client may have gone
}

// newRequestID returns a random UUID. It is no secret.
func newRequestID() string {
	var b [16]byte
	for i, n := range [2]uint64{rand.Uint64(), rand.Uint64()} {
		for j := range 8 {
			b[8*i+j] = byte(n >> (8 * j))
		}
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var digits [32]byte
	hex.Encode(digits[:], b[:])
	d := digits[:]
	return string(d[:8]) + "-" + string(d[8:12]) + "-" + string(d[12:16]) + "-" + string(d[16:20]) + "-" + string(d[20:])
}
