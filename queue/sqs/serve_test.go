package sqs

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// patient is a Service whose receives wait until they are told to stop.
type patient struct {
	*fake
	isWaiting chan struct{} // the Service sends
}

func (p *patient) ReceiveMessage(ctx context.Context, _ Caller, _ *ReceiveMessageRequest) (*ReceiveMessageResult, error) {
	p.isWaiting <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestServingEndsLongPollsAndThenItself(t *testing.T) {
	defer goleak.VerifyNone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := &patient{newFake(), make(chan struct{})}
	h := &Handler{Service: service}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, listener, h, slog.New(slog.DiscardHandler)) }()
	answered := make(chan int, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		answer, err := client.Get("http://" + listener.Addr().String() + "/?Action=ReceiveMessage&QueueUrl=q&WaitTimeSeconds=20")
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		answered <- answer.StatusCode
	}()
	<-service.isWaiting
	if h.Stats().InFlight != 1 {
		t.Error(h.Stats())
	}
	stop()
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Error("a long poll that was given up got", status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
