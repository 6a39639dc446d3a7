package correlator

import (
	"context"
	"sync"

	"firebreak/services/correlator/engine"
)

// maxJobs is how many events with decisions wait to be stored before no
// further one is decided on.
const maxJobs = 256

// job is what one event has brought about.
type job struct {
	seq       uint64
	decisions []engine.Decision
	live      bool // nothing: the place where the log was read up for the first time
}

// debts are the decisions that are not stored yet. While the ledger answers,
// the next events are decided on; one goroutine stores, so that the order is
// that of the decisions.
type debts struct {
	jobs chan job

	mu     sync.Mutex
	seq    uint64 // decided on up to here
	paid   uint64 // stored up to here, while something is owed
	made   int
	done   int
	waits  int           // until done is so many
	waiter chan struct{} // closed then
}

func (d *debts) move(seq uint64) {
	d.mu.Lock()
	d.seq = seq
	d.mu.Unlock()
}

func (d *debts) sequence() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made == d.done {
		return d.seq
	}
	return min(d.paid, d.seq)
}

// owe hands on what is to be stored.
func (c *Correlator) owe(ctx context.Context, j job) error {
	d := &c.debts
	d.mu.Lock()
	if d.made == d.done {
		d.paid = d.seq
	}
	d.made++
	d.mu.Unlock()
	select {
	case d.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pay stores what is owed, in order.
func (c *Correlator) pay(ctx context.Context) error {
	d := &c.debts
	for {
		var j job
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j = <-d.jobs:
		}
		if j.live {
			c.known = nil
		}
		for _, decision := range j.decisions {
			if err := c.record(ctx, decision); err != nil {
				return err
			}
		}
		d.mu.Lock()
		d.done++
		d.paid = max(d.paid, j.seq)
		if d.waiter != nil && d.done >= d.waits {
			close(d.waiter)
			d.waiter = nil
		}
		d.mu.Unlock()
	}
}

// settle waits until all is stored that was owed at a moment.
func (d *debts) settle(ctx context.Context, made int) error {
	d.mu.Lock()
	if d.done >= made {
		d.mu.Unlock()
		return nil
	}
	settled := make(chan struct{})
	d.waits, d.waiter = made, settled
	d.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// owed is how many jobs were made so far.
func (d *debts) owed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made
}
