package correlator

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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

// wave is how many events' decisions are stored at once. The ledger's answers
// come from far behind when the bus is busy.
const wave = 32

// debts are the decisions that are not stored yet. While the ledger answers,
// the next events are decided on. The decisions of one incident, the incidents
// of one group, and those of one event are stored in their order; others may
// overtake one another.
type debts struct {
	jobs  chan job
	ended chan struct{} // closed when no more is stored

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

// decided is the sequence of the last event that was decided on.
func (d *debts) decided() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seq
}

// sequence is that of the last event whose decisions are stored.
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

// lastPay is how long decisions are still stored when Run is told to end.
const lastPay = 2 * time.Second

// pay stores what is owed; at the end what was owed by then.
func (c *Correlator) pay(ctx context.Context) error {
	defer close(c.debts.ended)
	var next []job
	for {
		if len(next) == 0 {
			select {
			case j := <-c.debts.jobs:
				next = append(next, j)
			case <-ctx.Done():
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPay)
				defer cancel()
				c.payLast(last)
				return ctx.Err()
			}
		}
		rest, err := c.payWave(ctx, c.more(next))
		if err != nil {
			return err
		}
		next = rest
	}
}

// payLast stores what is owed and can be stored soon. The rest is decided
// again, from the former checkpoint.
func (c *Correlator) payLast(ctx context.Context) {
	for next := c.more(nil); len(next) > 0; next = c.more(next) {
		rest, err := c.payWave(ctx, next)
		if err != nil {
			return
		}
		next = rest
	}
}

// more takes what else is owed already.
func (c *Correlator) more(jobs []job) []job {
	for len(jobs) < wave {
		select {
		case j := <-c.debts.jobs:
			jobs = append(jobs, j)
			continue
		default:
		}
		break
	}
	return jobs
}

// payWave stores at once the jobs that concern different incidents and groups, from the
// first on, and gives the others.
func (c *Correlator) payWave(ctx context.Context, jobs []job) (rest []job, err error) {
	incidents := map[string]bool{}
	n := 0
	for n < len(jobs) && !jobs[n].touches(incidents) {
		n++
	}
	if n <= 1 {
		n = 1
		err = c.payOne(ctx, jobs[0])
	} else {
		g, inner := errgroup.WithContext(ctx)
		for _, j := range jobs[:n] {
			g.Go(func() error { return c.payOne(inner, j) })
		}
		err = g.Wait()
	}
	if err != nil {
		return nil, err
	}
	for _, j := range jobs[:n] {
		if j.live {
			c.readUp()
		}
	}
	c.debts.paidUp(jobs[:n])
	return jobs[n:], nil
}

// touches says whether a job concerns one of the incidents or groups, or must be alone;
// else it adds its own.
func (j job) touches(incidents map[string]bool) bool {
	if j.live {
		return len(incidents) > 0
	}
	for _, d := range j.decisions {
		if incidents[incidentOf(d)] || incidents[groupOf(d)] {
			return true
		}
	}
	for _, d := range j.decisions {
		incidents[incidentOf(d)] = true
		if group := groupOf(d); group != "" {
			incidents[group] = true
		}
	}
	return false
}

// groupOf names the group that a decision opens an incident of. The incidents of
// one are stored in their order: whoever reads the ledger takes the last one for
// the one that is open.
func groupOf(d engine.Decision) string {
	if o, ok := d.(engine.Opened); ok && o.Opened.Once > 0 {
		return o.Opened.Playbook.Name + "\n" + o.Opened.Group
	}
	return ""
}

func incidentOf(d engine.Decision) string {
	switch d := d.(type) {
	case engine.Opened:
		return d.Incident
	case engine.Recurred:
		return d.Incident
	}
	return ""
}

// payOne stores what one event has brought about, the most severe first.
func (c *Correlator) payOne(ctx context.Context, j job) error {
	for _, decision := range j.decisions {
		if err := c.record(ctx, decision); err != nil {
			return err
		}
	}
	return nil
}

// readUp is called when all that the log held at the start is done with.
func (c *Correlator) readUp() {
	c.known = nil // what a former run recorded belongs to events before this
	close(c.told)
	if c.cfg.Live != nil {
		c.cfg.Live()
	}
}

func (d *debts) paidUp(jobs []job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done += len(jobs)
	for _, j := range jobs {
		d.paid = max(d.paid, j.seq)
	}
	if d.waiter != nil && d.done >= d.waits {
		close(d.waiter)
		d.waiter = nil
	}
}

var errUnpaid = errors.New("decisions are not stored yet")

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
	case <-d.ended:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done < made {
		return errUnpaid
	}
	return nil
}

// owed is how many jobs were made so far.
func (d *debts) owed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made
}
