package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// silence is how long a command waits for a bus that says nothing. A person
// sits before it.
const silence = 15 * time.Second

var errSilent = fmt.Errorf("the bus has not answered for %s: is `firebreak run` (or the NATS server) well? Its log tells; `firebreak doctor` looks at this host", silence)

// whileHeard gives a context that ends when heard has not been called for too
// long, and what must be called in the end.
func whileHeard(ctx context.Context) (inner context.Context, heard, done func()) {
	inner, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(silence, func() { cancel(errSilent) })
	return inner, func() { timer.Reset(silence) }, func() { timer.Stop(); cancel(nil) }
}

// told gives the reason why such a context has ended, where that is behind the error.
func told(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}
