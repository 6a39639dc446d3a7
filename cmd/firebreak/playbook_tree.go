package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fatih/color"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/workshop/explain"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

// explainedView is one event in one playbook, of --json.
type explainedView struct {
	Playbook  string            `json:"playbook"`
	Event     *schemas.EventRef `json:"event,omitempty"` // absent: what came when time had run on
	Signals   []explain.Signal  `json:"signals,omitempty"`
	Notes     []explain.Note    `json:"notes,omitempty"`
	Except    []explain.Verdict `json:"except,omitempty"`
	Incidents []trial.Happened  `json:"incidents,omitempty"`
}

// explain prints what became of each event in each playbook. chosen playbooks
// are told of even where they wait for none of the types.
func (sh *shell) explain(ctx context.Context, c testfile.Case, books []*playbook.Playbook, chosen bool) error {
	runner := newBench().Runner
	others := 0
	for _, p := range books {
		if !waits(p, c) {
			if others++; chosen && !sh.json && len(books) == 1 {
				sh.say("%s waits for none of the types of these events: it waits for %s", p.Name, strings.Join(waitsFor(p), ", "))
			}
			continue
		}
		traced, err := abandonable(ctx, func() ([]trial.Traced, error) { return runner.Trace(p, c) })
		if err != nil {
			return fmt.Errorf("playbook %s: %w", p.Name, err)
		}
		if err := sh.printTraced(p, traced); err != nil {
			return err
		}
	}
	if others > 0 && !sh.json && len(books) > 1 {
		sh.say("%s for other types of events", count(others, "playbook")+map[bool]string{true: " waits", false: " wait"}[others == 1])
	}
	return nil
}

// abandonable runs what knows of no context, and leaves it behind when ctx ends:
// the process ends too then.
func abandonable[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("interrupted: %w", ctx.Err())
	}
}

func waits(p *playbook.Playbook, c testfile.Case) bool {
	return slices.ContainsFunc(p.Signals, func(s playbook.Signal) bool {
		return s.Match == nil && slices.ContainsFunc(c.Events, func(e testfile.Event) bool { return e.Type == s.Type })
	})
}

func waitsFor(p *playbook.Playbook) []string {
	var out []string
	for _, s := range p.Signals {
		if short := schemas.ShortType(s.Type); s.Match == nil && !slices.Contains(out, short) {
			out = append(out, short)
		}
	}
	return out
}

func (sh *shell) printTraced(p *playbook.Playbook, traced []trial.Traced) error {
	if !sh.json {
		sh.say("%s", color.New(color.Bold).Sprint(visible(p.Name)))
	}
	others := 0
	for _, t := range traced {
		if t.Event != nil && len(t.Signals) == 0 && len(t.Notes) == 0 && len(t.Incidents) == 0 {
			others++
			continue
		}
		if sh.json {
			v := explainedView{Playbook: p.Name, Signals: t.Signals, Notes: t.Notes, Except: t.Except, Incidents: t.Incidents}
			if e := t.Event; e != nil {
				v.Event = &schemas.EventRef{Source: e.Source, ID: e.ID, Type: e.Type, Time: e.Time}
			}
			if err := sh.line(v); err != nil {
				return err
			}
			continue
		}
		sh.printEvent(t)
	}
	if others > 0 && !sh.json {
		sh.say("  %s of types that it does not wait for", count(others, "event"))
	}
	return nil
}

func (sh *shell) printEvent(t trial.Traced) {
	switch {
	case t.Event == nil:
		sh.say("  time runs on")
	case t.Line > 0:
		sh.say("  %s  %s at %s (line %d)", visible(t.Event.ID), visible(t.Event.ShortType()), explain.Short(t.Event.Time.Sub(testfile.Start())), t.Line)
	default:
		sh.say("  %s  %s at %s", visible(t.Event.ID), visible(t.Event.ShortType()), t.Event.Time.Format(time.RFC3339Nano))
	}
	for _, s := range t.Signals {
		sh.printSignal(s)
	}
	for _, n := range t.Notes {
		sh.say("    · %s", visible(n.Text))
	}
	if len(t.Except) > 0 {
		sh.say("    guard.except")
		sh.printVerdicts(t.Except)
	}
	for _, h := range t.Incidents {
		sh.printWould(h)
	}
}

func (sh *shell) printSignal(s explain.Signal) {
	mark, verb := color.GreenString("✓"), "matches"
	if !s.Matched {
		mark, verb = color.RedString("✗"), "does not match"
	}
	reason := ""
	if len(s.Parts) == 0 && s.Reason != "" {
		reason = ": " + visible(s.Reason)
	}
	sh.say("    %s %s %s%s", mark, verb, visible(s.Name), reason)
	sh.printVerdicts(s.Parts)
}

func (sh *shell) printVerdicts(parts []explain.Verdict) {
	for n, v := range parts {
		mark := map[string]string{"true": color.GreenString("✓"), "false": color.RedString("✗"), "error": color.YellowString("!")}[v.Result]
		if mark == "" {
			mark = "="
		}
		text := strings.Join(strings.Fields(v.Text), " ")
		if n+1 < len(parts) && parts[n+1].Depth > v.Depth {
			text = clip(text, 60) // its parts follow, whole
		}
		line := strings.Repeat("  ", v.Depth) + mark + " " + visible(text)
		if v.Error != "" {
			line += color.YellowString(": " + visible(v.Error))
		}
		var reads []string
		for _, r := range v.Reads {
			reads = append(reads, visible(r.String()))
		}
		if len(reads) > 0 {
			line += "   " + color.CyanString(strings.Join(reads, ", "))
		}
		sh.say("        %s", line)
	}
}

// printWould tells what the steps of an incident would do.
func (sh *shell) printWould(h trial.Happened) {
	group := ""
	if h.Group != "" {
		group = " for " + visible(h.Group)
	}
	sh.say("    %s an incident%s, severity %s", color.GreenString("→"), group, paint(h.Severity))
	for _, s := range h.Steps {
		for _, t := range s.Targets {
			on := ""
			if t.ID != "" {
				on = " on " + visible(t.ID)
			}
			sh.say("        %s%s: %s", visible(s.ID), on, would(t))
		}
	}
}

func would(t trial.TargetHappened) string {
	switch t.State {
	case "observed":
		return "would be planned and not carried out (mode observe)"
	case "enforced", "applied", "released":
		return "would be carried out"
	}
	if t.Reason == "" {
		return paint(t.State)
	}
	return paint(t.State) + ": " + visible(t.Reason)
}
