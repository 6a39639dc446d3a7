package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
)

// recordView is a record as --json prints it: its CloudEvents attributes, its
// place in the ledger and its data.
type recordView struct {
	Specversion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        time.Time       `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Seq         uint64          `json:"seq"`
	Writer      string          `json:"writer"`
	Prev        string          `json:"prev,omitempty"`
	Signature   string          `json:"signature"`
	Data        json.RawMessage `json:"data"`
}

func viewRecord(r schemas.Record) recordView {
	return recordView{
		Specversion: "1.0", ID: r.ID, Source: r.Source(), Type: r.Type(), Subject: r.Subject(), Time: r.Time,
		ContentType: "application/json",
		Seq:         r.Seq, Writer: r.Writer, Prev: r.Prev, Signature: r.Signature, Data: r.Data,
	}
}

func viewRecords(rs []schemas.Record) []recordView {
	views := make([]recordView, 0, len(rs))
	for _, r := range rs {
		views = append(views, viewRecord(r))
	}
	return views
}

// recordLine is a record on one line for people.
func recordLine(r schemas.Record) string {
	what := r.Task
	if what == schemas.TaskIncident {
		what = "incident"
	}
	return strings.TrimRight(fmt.Sprintf("%s  %-12s %s  %s  %s", r.Stored.Local().Format("15:04:05.000"),
		paint(visible(string(r.Kind))), short(visible(r.Incident)), visible(what), visible(recordDetail(r))), " ")
}

// recordDetail is what a person wants to know of a record at a glance.
func recordDetail(r schemas.Record) string {
	switch r.Kind {
	case schemas.KindOpened:
		var d schemas.Opened
		if json.Unmarshal(r.Data, &d) == nil {
			return fmt.Sprintf("%s: %s (%s, %s)", d.Playbook.Name, d.Playbook.Summary, d.Playbook.Severity, d.Guard.Mode)
		}
	case schemas.KindRequested:
		var d schemas.Requested
		if json.Unmarshal(r.Data, &d) == nil {
			return fmt.Sprintf("%s on %s %s at %s", d.Action, d.Target.Kind, d.Target.ID, d.Target.Place)
		}
	case schemas.KindPlanned, schemas.KindObserved:
		var d schemas.Plan
		if json.Unmarshal(r.Data, &d) == nil {
			return strings.Join(d.Will, "; ")
		}
	case schemas.KindApplied, schemas.KindKept:
		var d schemas.Effect
		if json.Unmarshal(r.Data, &d) == nil {
			return appliedDetail(d)
		}
	case schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified:
		var d schemas.Verdict
		if json.Unmarshal(r.Data, &d) == nil {
			return verdictDetail(d)
		}
	case schemas.KindReleased:
		var d schemas.Released
		if json.Unmarshal(r.Data, &d) == nil {
			return releasedDetail(d)
		}
	case schemas.KindReleaseAsked, schemas.KindHeld, schemas.KindResumed:
		var d schemas.HoldChange
		if json.Unmarshal(r.Data, &d) == nil {
			return strings.TrimSuffix("by "+d.By+": "+d.Why, ": ")
		}
	case schemas.KindClosed:
		var d schemas.Closed
		if json.Unmarshal(r.Data, &d) == nil {
			return d.Outcome
		}
	default:
		var d schemas.Outcome
		if json.Unmarshal(r.Data, &d) == nil {
			return strings.TrimSuffix(d.Reason+" → "+d.Remedy, " → ")
		}
	}
	return ""
}

func appliedDetail(d schemas.Effect) string {
	var parts []string
	if d.HaltedAt != nil {
		parts = append(parts, "halted "+d.HaltedAt.Local().Format("15:04:05.000"))
	}
	if d.PausedAt != nil {
		parts = append(parts, "paused "+d.PausedAt.Local().Format("15:04:05.000"))
	}
	if d.Missing != "" {
		parts = append(parts, "missing: "+d.Missing)
	}
	return strings.Join(parts, ", ")
}

func verdictDetail(d schemas.Verdict) string {
	var parts []string
	for _, l := range d.Layers {
		parts = append(parts, strings.TrimSuffix(l.Name+" "+l.State+" ("+l.Detail+")", " ()"))
	}
	return strings.Join(parts, ", ")
}

func releasedDetail(d schemas.Released) string {
	switch {
	case !d.Undone:
		return "let go; others still hold it"
	case d.Drift != "":
		return "undone, but: " + d.Drift
	default:
		return "undone"
	}
}
