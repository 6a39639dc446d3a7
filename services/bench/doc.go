// Package bench holds the measurements that anyone can repeat: how long
// containment takes beside a bare pause of the same containers in the same
// run, whether the exec sensor loses anything, and what an idle pipeline costs.
//
// Machines differ and are noisy, so figures are read as ratios against the
// baseline that was taken in turn with them. A running Firebreak is seen from
// outside only: through its logs, containerd's own events and the memory that
// the measured containers share (package workload). Start at contain.go.
package bench

import (
	"context"

	"firebreak/schemas"
)

// Pipeline is a running Firebreak as a person sees it.
type Pipeline interface {
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
}

// Progress is told how far a measurement has come.
type Progress func(done, total int)
