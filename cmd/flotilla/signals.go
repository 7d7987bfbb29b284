package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// untilSignal does some work whose first context ends at the first signal, when said is
// said, and whose second one ends at the second signal.
func untilSignal(ctx context.Context, s *screen, said string, work func(soft, hard context.Context) error) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // SIGHUP: the terminal was closed
	defer signal.Stop(signals)
	soft, stop := context.WithCancel(ctx)
	hard, kill := context.WithCancel(ctx)
	var helper sync.WaitGroup
	helper.Go(func() {
		for _, end := range []func(){
			func() { s.line(said); stop() },
			kill,
		} {
			select {
			case <-signals:
				end()
			case <-hard.Done():
				return
			}
		}
	})
	err := work(soft, hard)
	stop()
	kill()
	helper.Wait()
	return err
}
