package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flotilla"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// A snapshot has a connection of its own, so that frames do not queue behind it in
// the sockets' buffers. gRPC's flow control bounds what is in memory on either side.
const (
	// MaxHeaderBytes bounds a snapshot's header.
	MaxHeaderBytes = 1 << 20
	// chunkBytes bounds one message of a snapshot's body.
	chunkBytes = 256 << 10
	// maxIncomingSnapshots bounds how many come in at a time, from all peers.
	maxIncomingSnapshots = 2
	// maxErrorText bounds the text of an error that travels back.
	maxErrorText = 1 << 10
)

var errCut = errors.New("cut off by a fault that was set")

// SendSnapshot streams header and body to a peer, and returns nil once the peer's
// receiver returned nil. If too many snapshots are coming in there already, the
// error is a flotilla.Failure with the reason Busy. The stream has failed for the
// peer if body returns an error: it never takes a part for the whole.
func (t *Transport) SendSnapshot(ctx context.Context, to flotilla.NodeID, header []byte, body func(io.Writer) error) error {
	p := t.peer(to)
	if p == nil {
		return fmt.Errorf("send snapshot: %v is no peer", to)
	}
	if len(header) > MaxHeaderBytes {
		return fmt.Errorf("send snapshot to %v: the header has %d bytes, %d are allowed", to, len(header), MaxHeaderBytes)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream, if it has not ended well
	defer context.AfterFunc(t.lifetime(), cancel)()
	if err := p.sendSnapshot(ctx, header, body); err != nil {
		p.snapshotsFailed.Add(1)
		return fmt.Errorf("send snapshot to %v: %w", to, err)
	}
	p.snapshotsOut.Add(1)
	return nil
}

// lifetime ends when the Transport stops. Before Run it does not end.
func (t *Transport) lifetime() context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		return context.Background()
	}
	return t.running
}

func (p *peer) sendSnapshot(ctx context.Context, header []byte, body func(io.Writer) error) error {
	p.mu.Lock()
	address := p.address
	p.mu.Unlock()
	fault, ok := p.outgoing.hold(ctx)
	switch {
	case fault.Cut:
		return errCut
	case !ok:
		return ctx.Err()
	}
	connection, stream, err := p.t.open(ctx, snapshotMethod, p.id, address)
	if err != nil {
		return asBusy(err)
	}
	defer connection.Close()
	w := &chunkWriter{ctx: ctx, peer: p, stream: stream, rate: p.t.options.SnapshotBytesPerSecond, began: time.Now()}
	w.failed = stream.SendMsg(&outgoing{data: &header})
	if w.failed == nil {
		err = body(w)
	}
	if err == nil {
		err = w.flush()
	}
	// io.EOF from the stream means that the peer has answered before the end.
	if hasAnswered := errors.Is(w.failed, io.EOF); !hasAnswered {
		if err != nil {
			return err
		}
		if err := stream.CloseSend(); err != nil {
			return err
		}
	}
	if err := stream.RecvMsg(&incoming{}); err != nil {
		return plain(err)
	}
	return nil
}

// busyText begins the one refusal that the sender should tell from others.
const busyText = "busy: "

func asBusy(err error) error {
	if text := err.Error(); len(text) >= len(busyText) && text[:len(busyText)] == busyText {
		return flotilla.Refused(flotilla.Busy, text[len(busyText):])
	}
	return err
}

// chunkWriter is the body of an outgoing snapshot: it cuts what is written into
// chunks, and holds back to the rate.
type chunkWriter struct {
	ctx    context.Context
	peer   *peer
	stream grpc.ClientStream
	rate   int64 // bytes a second; 0: no limit
	began  time.Time
	sent   int64
	chunk  *[]byte // nil: empty
	failed error   // nothing more can be written
}

// Write takes a part of the body. It returns io.EOF if the peer has answered
// already; SendSnapshot then returns that answer.
func (w *chunkWriter) Write(part []byte) (int, error) {
	total := len(part)
	for len(part) > 0 {
		if w.failed != nil {
			return total - len(part), w.failed
		}
		if w.chunk == nil {
			w.chunk = mem.DefaultBufferPool().Get(chunkBytes)
			*w.chunk = (*w.chunk)[:0]
		}
		n := min(len(part), chunkBytes-len(*w.chunk))
		*w.chunk = append(*w.chunk, part[:n]...)
		part = part[n:]
		if len(*w.chunk) == chunkBytes {
			if err := w.flush(); err != nil {
				return total - len(part), err
			}
		}
	}
	return total, nil
}

// flush sends what has gathered. After an error nothing more is sent.
func (w *chunkWriter) flush() error {
	if w.failed == nil && w.chunk != nil {
		w.failed = w.send(w.chunk)
		w.chunk = nil
	}
	return w.failed
}

func (w *chunkWriter) send(chunk *[]byte) error {
	if w.peer.outgoing.current().Cut {
		return errCut
	}
	if w.rate > 0 {
		due := w.began.Add(time.Duration(float64(w.sent) / float64(w.rate) * float64(time.Second)))
		if !wait(w.ctx, time.Until(due)) {
			return w.ctx.Err()
		}
	}
	w.sent += int64(len(*chunk))
	w.peer.snapshotBytesOut.Add(uint64(len(*chunk)))
	return w.stream.SendMsg(&outgoing{chunk, mem.DefaultBufferPool()})
}

// serveSnapshot handles an incoming snapshot.
func (t *Transport) serveSnapshot(_ any, stream grpc.ServerStream) error {
	p, _, err := t.greet(stream.Context())
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	if p.incoming.current().Cut {
		return status.Error(codes.Unavailable, errCut.Error())
	}
	select {
	case t.snapshotSlots <- struct{}{}:
		defer func() { <-t.snapshotSlots }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%s%v is taking %d snapshots already: try again later",
			busyText, t.options.Self, maxIncomingSnapshots)
	}
	if err := stream.SendHeader(greeting()); err != nil {
		return err
	}
	if err := t.receiveSnapshot(p, stream); err != nil {
		text := err.Error()
		return status.Error(codes.Aborted, text[:min(len(text), maxErrorText)])
	}
	p.snapshotsIn.Add(1)
	return stream.SendMsg(&outgoing{data: new([]byte)})
}

func (t *Transport) receiveSnapshot(p *peer, stream grpc.ServerStream) error {
	var message incoming
	if err := stream.RecvMsg(&message); err != nil {
		return fmt.Errorf("read the snapshot's header: %w", plain(err))
	}
	header := append([]byte(nil), message.bytes()...)
	message.free()
	if len(header) > MaxHeaderBytes {
		return fmt.Errorf("the header has %d bytes, %d are allowed", len(header), MaxHeaderBytes)
	}
	body := &chunkReader{peer: p, stream: stream}
	defer body.close()
	return t.receiver.ReceiveSnapshot(stream.Context(), p.id, header, body)
}

// chunkReader is the body of an incoming snapshot.
type chunkReader struct {
	peer    *peer
	stream  grpc.ServerStream
	message incoming
	rest    []byte // of the message
	err     error  // nothing more can be read
}

// Read returns io.EOF only after the sender said that the body is complete.
func (r *chunkReader) Read(into []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.next()
	}
	n := copy(into, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *chunkReader) next() {
	r.close()
	if r.peer.incoming.current().Cut {
		r.err = errCut
		return
	}
	if err := r.stream.RecvMsg(&r.message); err != nil {
		r.err = io.EOF
		if !errors.Is(err, io.EOF) {
			r.err = fmt.Errorf("the snapshot breaks off: %w", plain(err))
		}
		return
	}
	r.rest = r.message.bytes()
	r.peer.snapshotBytesIn.Add(uint64(len(r.rest)))
	if len(r.rest) > chunkBytes {
		r.err = fmt.Errorf("a chunk has %d bytes, %d are allowed", len(r.rest), chunkBytes)
		r.rest = nil
	}
}

func (r *chunkReader) close() {
	r.message.free()
	r.rest = nil
}
