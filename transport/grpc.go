package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"time"

	"flotilla"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The wire: what is specific to gRPC. The service has two methods, both with a
// stream from client to server, of bytes that gRPC does not look into:
//
//	Frames    messages as in frames.go, for as long as both live
//	Snapshot  the header, then the body in chunks; answered once at the end
//
// The caller's hello is in the call's metadata; the header of the answer comes at
// once, and says that the caller was accepted.
const (
	serviceName    = "flotilla.Transport"
	framesMethod   = "/" + serviceName + "/Frames"
	snapshotMethod = "/" + serviceName + "/Snapshot"
)

// Sizes and times of connections. The windows bound what a slow receiver holds in
// memory; large ones also cost fewer messages that update them.
const (
	streamWindow      = 2 << 20
	connectionWindow  = 4 << 20
	dataBuffer        = 64 << 10 // of the side that the bytes flow from, and to
	answerBuffer      = 4 << 10  // of the other direction: next to nothing
	maxReceive        = MaxQueueBytes + lengthSize
	maxMetadata       = 16 << 10
	maxStreams        = 8 // of one connection
	maxConnections    = 256
	connectTimeout    = 2 * time.Second
	greetTimeout      = 5 * time.Second
	keepaliveInterval = 10 * time.Second // gRPC allows clients no less
	keepaliveTimeout  = 4 * time.Second  // on Linux also for bytes that nobody acknowledges
)

// outgoing is a message on its way out: pool gets the buffer back when the last
// byte was written. incoming is one that came in, to be freed after use.
type (
	outgoing struct {
		data *[]byte
		pool mem.BufferPool
	}
	incoming struct {
		buffers mem.BufferSlice
		whole   []byte // of a message that came in several buffers
	}
)

// codec passes bytes through, without a copy.
type codec struct{}

// Name is part of the content type of each call.
func (codec) Name() string { return "flotilla" }

// Marshal takes an *outgoing.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*outgoing)
	if !ok {
		return nil, fmt.Errorf("can not send a %T", v)
	}
	if m.pool == nil {
		return mem.BufferSlice{mem.SliceBuffer(*m.data)}, nil
	}
	return mem.BufferSlice{mem.NewBuffer(m.data, m.pool)}, nil
}

// Unmarshal fills an *incoming.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*incoming)
	if !ok {
		return fmt.Errorf("can not receive a %T", v)
	}
	data.Ref()
	m.buffers = data
	return nil
}

// bytes returns the message, valid until free.
func (m *incoming) bytes() []byte {
	if len(m.buffers) == 1 {
		return m.buffers[0].ReadOnlyData()
	}
	size := m.buffers.Len()
	if cap(m.whole) < size {
		m.whole = make([]byte, size)
	}
	m.whole = m.whole[:size]
	m.buffers.CopyTo(m.whole)
	return m.whole
}

func (m *incoming) free() {
	m.buffers.Free()
	m.buffers = nil
	if cap(m.whole) > maxMessage {
		m.whole = nil
	}
}

func (t *Transport) newServer() *grpc.Server {
	transportCredentials := insecure.NewCredentials()
	if t.security.server != nil {
		transportCredentials = credentials.NewTLS(t.security.server)
	}
	server := grpc.NewServer(
		grpc.Creds(transportCredentials),
		grpc.ForceServerCodecV2(codec{}),
		grpc.WaitForHandlers(true),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ReadBufferSize(dataBuffer),
		grpc.WriteBufferSize(answerBuffer),
		grpc.MaxRecvMsgSize(maxReceive),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveInterval / 2, PermitWithoutStream: true}),
	)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName,
		Streams: []grpc.StreamDesc{
			{StreamName: "Frames", ClientStreams: true, Handler: t.serveFrames},
			{StreamName: "Snapshot", ClientStreams: true, Handler: t.serveSnapshot},
		},
	}, nil)
	return server
}

// open connects to a node and calls a method. It returns when the other side has
// greeted back, so from then on nothing is sent twice behind our back: gRPC
// repeats what it holds only before that.
func (t *Transport) open(ctx context.Context, method string, to flotilla.NodeID, address string) (*grpc.ClientConn, grpc.ClientStream, error) {
	transportCredentials := insecure.NewCredentials()
	if t.security.client != nil {
		transportCredentials = credentials.NewTLS(t.security.client(to))
	}
	// One ClientConn for each attempt: backing off is ours (see peer.run).
	connection, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(transportCredentials),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: connectTimeout}),
		grpc.WithReadBufferSize(answerBuffer),
		grpc.WithWriteBufferSize(dataBuffer),
		grpc.WithMaxHeaderListSize(maxMetadata),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveInterval, Timeout: keepaliveTimeout, PermitWithoutStream: true,
		}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallSendMsgSize(maxReceive)),
	)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	isLate := time.AfterFunc(greetTimeout, cancel)
	stream, err := connection.NewStream(metadata.AppendToOutgoingContext(ctx, t.hello(to).fields()...),
		&grpc.StreamDesc{ClientStreams: true}, method)
	if err == nil {
		err = awaitGreeting(stream)
	}
	if !isLate.Stop() {
		err = fmt.Errorf("no answer within %v", greetTimeout)
	}
	if err != nil {
		cancel()
		return nil, nil, errors.Join(plain(err), connection.Close())
	}
	// From here the context ends with the stream, or with the caller's.
	context.AfterFunc(stream.Context(), cancel)
	return connection, stream, nil
}

func awaitGreeting(stream grpc.ClientStream) error {
	if header, err := stream.Header(); err != nil || header != nil {
		return err
	}
	// A call that was turned away has a trailer only.
	return stream.RecvMsg(&incoming{})
}

// plain returns the text of an error, without gRPC's own words around it.
func plain(err error) error {
	if s, ok := status.FromError(err); ok && err != nil {
		return errors.New(s.Message())
	}
	return err
}

// frameStream is an accepted outgoing stream of frames.
type frameStream struct {
	connection *grpc.ClientConn
	stream     grpc.ClientStream
}

func (t *Transport) openFrames(ctx context.Context, to flotilla.NodeID, address string) (*frameStream, error) {
	connection, stream, err := t.open(ctx, framesMethod, to, address)
	if err != nil {
		return nil, err
	}
	return &frameStream{connection, stream}, nil
}

// send passes a message on; pool gets it back once it was written. One call at a time.
func (s *frameStream) send(message *[]byte, pool mem.BufferPool) error {
	return s.stream.SendMsg(&outgoing{message, pool})
}

// wait returns when the stream has ended, and why.
func (s *frameStream) wait() error {
	var answer incoming
	if err := s.stream.RecvMsg(&answer); err != nil {
		return plain(err)
	}
	return errors.New("the peer closed it")
}

func (s *frameStream) close() { _ = s.connection.Close() }

// serveFrames handles an incoming stream of frames. The handler only waits, so
// that it can end the stream while the reader is blocked in it.
func (t *Transport) serveFrames(_ any, stream grpc.ServerStream) error {
	p, h, err := t.greet(stream.Context())
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	in := &inbound{replaced: make(chan struct{}), done: make(chan struct{})}
	if err := p.accept(h.incarnation, in); err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	ended := make(chan error, 1)
	t.goroutines.Go(func() {
		defer close(in.done)
		ended <- readFrames(p, stream)
		p.leave(in)
	})
	select {
	case err := <-ended:
		return err
	case <-in.replaced:
		return status.Error(codes.Aborted, "a newer connection took over, or the node is no peer any more")
	}
}

func readFrames(p *peer, stream grpc.ServerStream) error {
	if err := stream.SendHeader(greeting()); err != nil {
		return err
	}
	var message incoming
	for {
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		err := p.deliver(message.bytes())
		message.free()
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
}

// greeting is the header that says: accepted. It must not be empty, since gRPC
// gives no header at all to who was turned away.
func greeting() metadata.MD { return metadata.Pairs(keyVersion, strconv.Itoa(protocolVersion)) }

func incomingHello(ctx context.Context) (hello, error) {
	fields, _ := metadata.FromIncomingContext(ctx)
	return parseHello(fields)
}

// certificateOf returns the TLS state of the connection that a call came over.
func certificateOf(info credentials.AuthInfo) (tls.ConnectionState, bool) {
	tlsInfo, ok := info.(credentials.TLSInfo)
	return tlsInfo.State, ok
}
