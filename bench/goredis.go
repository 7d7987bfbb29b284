package bench

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// common is a connection of go-redis, with one goroutine that uses it.
type common struct {
	client   *redis.Client
	source   *source
	pipeline int
	commands []*redis.Cmd
	failed   []string
}

func newCommon(c *StoreConfig, address string, source *source) *common {
	client := redis.NewClient(&redis.Options{
		Addr: address, PoolSize: 1, MaxRetries: -1, Protocol: 2, DisableIdentity: true,
		DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout,
		OnConnect: func(ctx context.Context, n *redis.Conn) error {
			for _, words := range preparation(c) {
				if err := n.Do(ctx, anys(words)...).Err(); err != nil {
					return err
				}
			}
			return nil
		},
	})
	return &common{client: client, source: source, pipeline: c.Pipeline}
}

func anys(words []string) []any {
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = w
	}
	return all
}

func (k *common) close() { _ = k.client.Close() }

func (k *common) run(ctx context.Context) (int, []string, error) {
	k.commands, k.failed = k.commands[:0], k.failed[:0]
	if k.pipeline == 1 {
		k.commands = append(k.commands, k.one(ctx, k.client))
	} else {
		_, _ = k.client.Pipelined(ctx, func(p redis.Pipeliner) error { // errors are in the commands
			for range k.pipeline {
				k.commands = append(k.commands, k.one(ctx, p))
			}
			return nil
		})
	}
	done := 0
	for _, c := range k.commands {
		err := c.Err()
		var refusal redis.Error
		switch {
		case err == nil, errors.Is(err, redis.Nil):
			done++
		case errors.As(err, &refusal):
			k.failed = append(k.failed, firstWord(refusal.Error()))
		default:
			return done, k.failed, err
		}
	}
	return done, k.failed, nil
}

func (k *common) one(ctx context.Context, to interface {
	Do(ctx context.Context, args ...any) *redis.Cmd
}) *redis.Cmd {
	name, value := k.source.next()
	if value == nil {
		return to.Do(ctx, name, string(k.source.nextKey()))
	}
	return to.Do(ctx, name, string(k.source.nextKey()), value)
}
