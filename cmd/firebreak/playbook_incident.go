package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/incident"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/fromincident"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/trial"
)

// recorded is a test to be made of a real incident.
type recorded struct {
	id     string
	out    string // "": standard output
	redact bool
	paths  []string // where the playbook is; none: the configuration's
}

// recordedLog is what is read of the bus for it.
type recordedLog interface {
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
	FollowEvents(ctx context.Context, from uint64, handle func(schemas.Event) error, live func() error) error
	Event(ctx context.Context, seq uint64) (schemas.Event, error)
}

// testFromIncident writes a test of what happened, and runs it once.
func (sh *shell) testFromIncident(ctx context.Context, r recorded) error {
	people, done, err := sh.people(ctx)
	if err != nil {
		return err
	}
	defer done()
	all, err := foldLedger(ctx, people, nil)
	if err != nil {
		return err
	}
	inc, err := one(all, r.id)
	if err != nil {
		return err
	}
	if inc.Opened() == nil {
		return fmt.Errorf("%q is no incident: there is nothing to make a test of", visible(r.id))
	}
	p, err := sh.playbookOf(inc, r.paths)
	if err != nil {
		return err
	}
	events, err := eventsOf(ctx, people, p, inc)
	if err != nil {
		return err
	}
	made, err := fromincident.Make(fromincident.Input{Playbook: p, Incident: inc, Events: events, Redact: r.redact})
	if err != nil {
		return err
	}
	text, err := made.Draft.Write()
	if err != nil {
		return err
	}
	if r.out == "" {
		if _, err := sh.out.Write(text); err != nil {
			return fmt.Errorf("print the test: %w", err)
		}
	} else if err := writeFresh(r.out, text); err != nil {
		return err
	}
	for _, note := range made.Notes {
		fmt.Fprintf(sh.err, "note: %s\n", visible(note))
	}
	return sh.tryMade(p, r, text)
}

// playbookOf finds the playbook that opened an incident.
func (sh *shell) playbookOf(inc *incident.Incident, paths []string) (*playbook.Playbook, error) {
	name := inc.Opened().Playbook.Name
	var all []playbook.Source
	if len(paths) > 0 {
		found, _, err := collectTests(paths, false)
		if err != nil {
			return nil, err
		}
		all = found
	} else {
		cfg, err := loadConfig(sh.config)
		if err != nil {
			return nil, err
		}
		if all, err = sources(cfg); err != nil {
			return nil, usageError{err}
		}
	}
	for n := range all {
		all[n].Mode = "" // a test runs in the playbook's own mode
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		return nil, fmt.Errorf("%s: `firebreak playbook lint` tells all of it", firstError(findings))
	}
	for _, p := range set.Playbooks {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, usagef("the incident was opened by the playbook %s, which is not loaded here: give its file, `firebreak playbook test --from-incident %s FILE`", visible(name), inc.ID)
}

// eventsOf reads the events of the log that an incident can have to do with.
func eventsOf(ctx context.Context, log recordedLog, p *playbook.Playbook, inc *incident.Incident) ([]schemas.Event, error) {
	begin, end := fromincident.Span(p, inc)
	// The log's own clock and that of a source differ by a minute at most; later
	// than that an event is taken, but as of another time.
	from, err := firstSince(ctx, log, inc.Opened().Trigger.Seq, begin.Add(-time.Minute))
	if err != nil {
		return nil, err
	}
	ctx, heard, done := whileHeard(ctx)
	defer done()
	var events []schemas.Event
	err = log.FollowEvents(ctx, from, func(e schemas.Event) error {
		heard()
		if e.Stored.After(end.Add(24 * time.Hour)) {
			return errAll // an event may come a day late and still count
		}
		if !e.Time.Before(begin) && !e.Time.After(end) {
			events = append(events, e)
		}
		return nil
	}, func() error { return errAll })
	if err != nil && !errors.Is(err, errAll) {
		return nil, fmt.Errorf("read the events: %w", told(ctx, err))
	}
	return events, nil
}

// firstSince finds the sequence behind which all events were stored since a
// time, by halving. What the log has let go lies before it.
func firstSince(ctx context.Context, log recordedLog, last uint64, since time.Time) (uint64, error) {
	low, high := uint64(1), max(last, 1)
	for low < high {
		middle := low + (high-low)/2
		e, err := log.Event(ctx, middle)
		switch {
		case errors.Is(err, bus.ErrAbsent) || errors.Is(err, schemas.ErrInvalid):
			low = middle + 1
		case err != nil:
			return 0, fmt.Errorf("look for the incident's events: %w", err)
		case e.Stored.Before(since):
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// tryMade runs what was written: a test that does not pass as it is must not
// be found out about later.
func (sh *shell) tryMade(p *playbook.Playbook, r recorded, text []byte) error {
	name := r.out
	if name == "" {
		name = p.Name + suite.Ending
	}
	bench := newBench()
	u := bench.Check(suite.Pair{Source: playbook.Source{Name: p.File}, Test: &suite.Test{Name: name, Data: text}}, p)
	for _, f := range u.Findings {
		if f.Severity == playbook.SeverityError {
			return fmt.Errorf("the test was written and cannot be read: %s", visible(f.String()))
		}
	}
	for _, t := range bench.Run(u, nil) {
		if !t.Passed() {
			return sh.doesNotPass(t, r.redact)
		}
	}
	if r.out != "" && !sh.json {
		sh.say("%s written; it passes. `firebreak playbook test %s` runs it beside its playbook.", r.out, r.out)
	}
	return nil
}

func (sh *shell) doesNotPass(t trial.Result, redacted bool) error {
	fmt.Fprintln(sh.err, "the test was written, but it does not pass as it is:")
	for _, f := range t.Failures {
		fmt.Fprintf(sh.err, "  line %d: %s: expected %s, got %s\n", f.Line, visible(f.Message), visible(f.Want), visible(f.Got))
		for _, why := range f.Why {
			fmt.Fprintf(sh.err, "    %s\n", visible(why))
		}
	}
	if redacted {
		fmt.Fprintln(sh.err, "a condition may look at what --redact has replaced: write something there for which it holds")
	}
	return errFound
}
