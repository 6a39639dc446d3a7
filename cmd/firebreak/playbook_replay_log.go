package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fatih/color"

	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/replay"
)

// openLog connects to the bus as a person.
func (sh *shell) openLog(ctx context.Context) (inner context.Context, l *replay.Log, done func(), err error) {
	people, closeBus, err := sh.people(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	inner, heard, end := whileHeard(ctx)
	return inner, logOf(people, heard), func() { end(); closeBus() }, nil
}

func logOf(b replay.Bus, heard func()) *replay.Log {
	return &replay.Log{Bus: b, Core: bus.Core.Writer(), Compile: compileSet, Heard: heard}
}

// fromLog replays the log of events; own with the playbooks that were in force.
func (r *replayer) fromLog(ctx context.Context, own bool) error {
	ctx, log, done, err := r.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	return told(ctx, r.readLog(ctx, log, own))
}

func (r *replayer) readLog(ctx context.Context, log *replay.Log, own bool) error {
	first := uint64(1)
	if own {
		var err error
		if first, err = r.ownSet(ctx, log); err != nil {
			return err
		}
	}
	r.start(log.Recall(ctx))
	if r.ask.check {
		check, err := replay.NewCheck(ctx, log, first, r.runs[0])
		if err != nil {
			return r.closing(err)
		}
		r.check = check
		check.Set(r.set)
	}
	err := r.closing(log.Each(ctx, func(e schemas.Event) error {
		if r.events%progressEvery == 0 {
			r.bar.show(r.events, 0, 0, r.runs[0])
		}
		if own {
			r.follow(ctx, log, e)
		}
		if r.check != nil {
			r.check.Event(e)
		}
		return r.apply(e)
	}))
	if r.check != nil && err == nil {
		r.outcome, err = r.check.Compare(ctx, r.ask.from)
	}
	found, ended := r.end(replay.Counts{})
	if err = errors.Join(err, ended); err == nil && found {
		return errFound
	}
	return err
}

// ownSet finds the playbooks that were in force where the log begins.
func (r *replayer) ownSet(ctx context.Context, log *replay.Log) (first uint64, err error) {
	first, set, err := log.Beginning(ctx)
	if err != nil {
		return 0, err
	}
	if set == nil {
		cfg, err := loadConfig(r.config)
		if err != nil {
			return 0, err
		}
		all, err := sources(cfg)
		if err != nil {
			return 0, usageError{err}
		}
		var findings []playbook.Finding
		if set, findings = playbook.Load(all, action.Specs()); set == nil {
			return 0, usagef("the playbooks of the configuration: %s", visible(firstError(findings)))
		}
		fmt.Fprintf(r.err, "firebreak: the log does not say which playbooks were in force where it begins: those of the configuration (%s) take their place there\n", short(set.Digest))
	}
	r.set, err = r.ask.narrow(set, false)
	return first, err
}

// follow puts a set in force where the log announces it.
func (r *replayer) follow(ctx context.Context, log *replay.Log, e schemas.Event) {
	set, err := log.Changed(ctx, e)
	if err != nil {
		r.bar.clear()
		fmt.Fprintf(r.err, "firebreak: %s; those before stay in force, so what follows may not be what was decided live\n", visible(err.Error()))
		return
	}
	if set == nil || set.Digest == r.set.Digest {
		return
	}
	narrowed, err := r.ask.narrow(set, false)
	if err != nil { // of a set that must have all names, which this need not
		return
	}
	r.set = narrowed
	r.runs[0].Swap(narrowed)
	if r.check != nil {
		r.check.Set(set)
	}
}

// checkedView is one disagreement of --check --json.
type checkedView struct {
	Disagrees string `json:"disagrees"` // live-only | replay-only
	replay.Decided
}

// checkSummary is the last line of --check --json.
type checkSummary struct {
	replay.Summary
	Check replay.Checked `json:"check"`
}

// checked prints how the replay and what was decided live agree.
func (r *replayer) checked(s replay.Summary) (bool, error) {
	c := r.outcome
	for _, side := range []struct {
		name, text string
		list       []replay.Decided
	}{{"live-only", "live alone", c.Missing}, {"replay-only", "the replay alone", c.Extra}} {
		for _, d := range side.list {
			if r.json {
				if err := r.line(checkedView{side.name, d}); err != nil {
					return true, err
				}
				continue
			}
			r.say("%s %s opened %s: %s  %s (event %d)", color.RedString("✗"), side.text, d.ID, visible(d.Playbook), visible(d.Group), d.Seq)
		}
	}
	if r.json {
		return !c.Agrees(), r.line(checkSummary{s, c})
	}
	if err := r.summary(s); err != nil {
		return true, err
	}
	verdict := color.GreenString("✓") + " live and replay agree"
	if !c.Agrees() {
		verdict = color.RedString("✗") + fmt.Sprintf(" live and replay do not agree: %d live alone, %d in the replay alone", len(c.Missing), len(c.Extra))
	}
	r.say("%s (%d incidents)", verdict, c.Same)
	if c.Open > 0 {
		r.say("  %d could not be compared: what they rest on may lie before the log's beginning", c.Open)
	}
	return !c.Agrees(), nil
}

// exportLog writes the log to a file.
func (sh *shell) exportLog(ctx context.Context, a *replayAsk) (err error) {
	ctx, log, done, err := sh.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	to, finish, err := sh.exportTo(a.export)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(told(ctx, err), finish(err)) }()
	export := replay.NewExport(to)
	err = log.Each(ctx, func(e schemas.Event) error {
		if e.Stored.Before(a.from) || !a.to.IsZero() && !e.Stored.Before(a.to) {
			return nil
		}
		return export.Write(e)
	})
	n, flushed := export.Flush()
	if err = errors.Join(err, flushed); err == nil {
		fmt.Fprintf(sh.err, "%s written\n", countOf(n, "event"))
	}
	return err
}

// exportTo opens what is written to. finish closes it, and takes half of a file away.
func (sh *shell) exportTo(name string) (to io.Writer, finish func(error) error, err error) {
	if name == "-" {
		return sh.out, func(error) error { return nil }, nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the person names the file
	if err != nil {
		return nil, nil, usagef("--export: %w", err)
	}
	to = f
	var pack *gzip.Writer
	if strings.HasSuffix(name, ".gz") {
		pack = gzip.NewWriter(f)
		to = pack
	}
	return to, func(failed error) error {
		var err error
		if pack != nil {
			err = pack.Close()
		}
		if err = errors.Join(err, f.Close()); err != nil || failed != nil {
			return errors.Join(err, os.Remove(name))
		}
		return nil
	}, nil
}
