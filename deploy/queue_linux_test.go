package deploy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// sender sends messages to a queue, each by any node that takes it, while the nodes are broken.
type sender struct {
	nodes []*sqs.Client
	urls  []string // of the queue, as each node tells it
	stop  context.CancelFunc
	ended sync.WaitGroup
	sent  []string // what was acknowledged; to be read after ended
}

// startSender makes a queue and sends to it until finish.
func startSender(t *testing.T, c *containers) *sender {
	t.Helper()
	s := &sender{}
	for _, n := range c.nodes {
		client := sqs.New(sqs.Options{
			Region: "us-east-1", BaseEndpoint: aws.String("http://" + n.QueueAddr()), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("any", "thing", ""), HTTPClient: &http.Client{Timeout: 8 * time.Second},
		})
		made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("kept")})
		if err != nil {
			t.Fatalf("make a queue by %s: %v", n.Name(), err)
		}
		if !strings.HasPrefix(*made.QueueUrl, "http://"+n.QueueAddr()+"/") {
			t.Errorf("%s says that the queue is at %s: nobody outside finds it there", n.Name(), *made.QueueUrl)
		}
		s.nodes, s.urls = append(s.nodes, client), append(s.urls, *made.QueueUrl)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.ended.Go(func() { s.work(ctx) })
	t.Cleanup(func() { cancel(); s.ended.Wait() })
	return s
}

// work sends one message after the other. One whose fate is unknown may be there twice or
// not at all, and is not counted on.
func (s *sender) work(ctx context.Context) {
	node := 0
	for i := 0; ctx.Err() == nil; i++ {
		body := fmt.Sprint(i)
		_, err := s.nodes[node].SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &s.urls[node], MessageBody: &body})
		if err == nil {
			s.sent = append(s.sent, body)
			<-time.After(10 * time.Millisecond)
			continue
		}
		node = (node + 1) % len(s.nodes)
		<-time.After(50 * time.Millisecond)
	}
}

// check receives all there is, by all nodes in turn, and demands that what was acknowledged
// is among it.
func (s *sender) check(t *testing.T) {
	t.Helper()
	s.stop()
	s.ended.Wait()
	received := map[string]bool{}
	empty := 0
	for node := 0; empty < len(s.nodes); node = (node + 1) % len(s.nodes) {
		out, err := s.nodes[node].ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &s.urls[node], MaxNumberOfMessages: 10, VisibilityTimeout: 600, WaitTimeSeconds: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		if empty++; len(out.Messages) > 0 {
			empty = 0
		}
		for _, m := range out.Messages {
			received[*m.Body] = true
		}
	}
	for _, body := range s.sent {
		if !received[body] {
			t.Fatalf("message %s was acknowledged, and is lost; %d were sent, %d received", body, len(s.sent), len(received))
		}
	}
	if len(s.sent) == 0 {
		t.Fatal("no message was ever acknowledged")
	}
	t.Logf("all %d messages that were acknowledged were received", len(s.sent))
}
