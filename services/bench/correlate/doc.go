// Package correlate holds the measurements of matching: how many events a
// second are decoded and matched, what open windows cost, what the way through
// the bus into the ledger adds, how long an incident takes, how fast a recorded
// file is replayed, how long a killed core needs to be at work again, and what
// hostile playbooks and events can do.
//
// Every figure that is to be read as a ratio is taken in turn with its
// baseline, in the same run. The parts that are measured are those that run
// live: the engine, the correlator, the embedded bus as `firebreak run` sets it
// up. Only publishers and the bare reader are this package's own.
//
// It is not for containment (package bench), and asserts no time: machines
// differ. Start at match.go; each file is one measurement.
package correlate

import (
	"context"
	"errors"
	"fmt"

	"firebreak/schemas"
	"firebreak/services/playbook"
)

// Progress is told how far a measurement has come.
type Progress func(done, total int)

func (p Progress) tell(done, total int) {
	if p != nil {
		p(done, total)
	}
}

// load makes a set of sources.
func load(sources []playbook.Source, specs []schemas.Spec) (*playbook.Set, error) {
	set, findings := playbook.Load(sources, specs)
	if set != nil {
		return set, nil
	}
	for _, f := range findings {
		if f.Severity == playbook.SeverityError {
			return nil, fmt.Errorf("load playbooks: %s", f)
		}
	}
	return nil, errors.New("load playbooks: refused without a finding")
}

// ended is the error of a measurement that was told to stop.
func ended(ctx context.Context, what string) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("bench correlate: %s: %w", what, err)
	}
	return nil
}
