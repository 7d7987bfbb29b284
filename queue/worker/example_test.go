package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"flotilla/queue/rest"
	"flotilla/queue/worker"
)

// A program that sends mail until it is told to stop.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	w := &worker.Worker{
		Client:      &rest.Client{Addresses: []string{"127.0.0.1:9324", "127.0.0.1:9325", "127.0.0.1:9326"}},
		Queue:       "mail",
		Concurrency: 8,
		Handle: func(ctx context.Context, job *worker.Job) ([]byte, error) {
			if job.Body == "" {
				return nil, worker.Fail(errors.New("a letter without a word"))
			}
			fmt.Println("sending", job.Body, "with token", job.Token)
			return []byte("sent"), nil
		},
	}
	if err := w.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
