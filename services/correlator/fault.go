package correlator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

const faultKey = "correlator.fault"

// errEngine is an error in Firebreak itself: the same events lead to it again.
var errEngine = errors.New("an error in Firebreak, not in your data")

// fault is where the engine failed last. Sets come into force by the log, so
// to take a playbook away comes too late for an event that lies before: the one
// that failed is left out up to there once it is no longer configured.
type fault struct {
	Seq      uint64 `json:"seq"`
	Playbook string `json:"playbook,omitempty"`
}

// apply lets the engine decide. When it panics the engine is of no use any
// more, and the error says at what it failed.
func (c *Correlator) apply(ctx context.Context, e schemas.Event) (ds []engine.Decision, err error) {
	defer func() {
		if why := recover(); why != nil {
			err = c.failed(ctx, e, why)
		}
	}()
	return c.engine.Apply(e), nil
}

func (c *Correlator) failed(ctx context.Context, e schemas.Event, why any) error {
	at := fault{e.Seq, c.engine.WorkingOn()}
	c.cfg.Log.Error("correlator: the engine failed", "seq", e.Seq, "type", e.Type, "playbook", at.Playbook, "error", why, "stack", string(debug.Stack()))
	if err := c.noteFault(ctx, at); err != nil {
		c.cfg.Log.Warn("correlator: where the engine failed could not be noted; it is when it fails there again", "error", err)
	}
	in, do := "", "go back to the version of Firebreak that ran before"
	if at.Playbook != "" {
		in = ", at playbook " + at.Playbook
		do = "take the playbook " + at.Playbook + " away (of the built-in library: set `library: false`, and give the others as your own) and start again: it is then left out here"
	}
	return fmt.Errorf("event %d of the log (%s)%s: %v: %w; it fails there at each start until you %s (--new-log does not help); please tell the maintainers of Firebreak, with the playbook and the log's record of the failure",
		e.Seq, e.Type, in, why, errEngine, do)
}

func (c *Correlator) noteFault(ctx context.Context, at fault) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, rev, err := c.cfg.Bus.GetState(ctx, faultKey)
	if err != nil {
		return err
	}
	value, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	_, err = c.cfg.Bus.PutState(ctx, faultKey, value, rev)
	return err
}

// readFault looks where the engine failed last.
func (c *Correlator) readFault(ctx context.Context) error {
	value, _, err := c.cfg.Bus.GetState(ctx, faultKey)
	if err != nil {
		return err
	}
	c.fault = fault{}
	if len(value) > 0 && json.Unmarshal(value, &c.fault) != nil {
		c.cfg.Log.Warn("correlator: where the engine failed last cannot be read")
	}
	return nil
}

// without leaves the playbook that the engine failed at out of a set that is in
// force up to there, when it was taken away since.
func (c *Correlator) without(set *playbook.Set, from uint64) *playbook.Set {
	is := func(p *playbook.Playbook) bool { return p.Name == c.fault.Playbook }
	if set == nil || c.fault.Playbook == "" || from > c.fault.Seq || !slices.ContainsFunc(set.Playbooks, is) ||
		c.cfg.Set == nil || slices.ContainsFunc(c.cfg.Set.Playbooks, is) {
		return set
	}
	c.cfg.Log.Warn("correlator: a playbook is left out, because the engine failed at it and it was taken away since", "playbook", c.fault.Playbook, "until", c.fault.Seq)
	less := *set
	less.Playbooks = slices.DeleteFunc(slices.Clone(set.Playbooks), is)
	return &less
}
