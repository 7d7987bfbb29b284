package fakenode

import "context"

// deaf returns a context that does not end.
func deaf(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
