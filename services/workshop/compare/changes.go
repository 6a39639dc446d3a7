package compare

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"firebreak/services/workshop/replay"
)

// changes says in what two incidents of a group differ.
func changes(a, b replay.Incident) []string {
	var out []string
	note := func(what, was, is string) {
		if was != is {
			out = append(out, fmt.Sprintf("%s: %s → %s", what, was, is))
		}
	}
	if a.ID != b.ID {
		note("opened at", at(a), at(b))
		if len(out) == 0 {
			note("opened by", a.Trigger.ID, b.Trigger.ID)
		}
	}
	note("severity", a.Severity, b.Severity)
	note("mode", a.Mode, b.Mode)
	note("stale", fmt.Sprint(a.Stale), fmt.Sprint(b.Stale))
	note("steps", names(a), names(b))
	for _, s := range a.Steps {
		for _, o := range b.Steps {
			if s.ID != o.ID {
				continue
			}
			note(s.ID, targets(s), targets(o))
			if targets(s) == targets(o) && !sameWith(s, o) {
				out = append(out, s.ID+": with other parameters")
			}
		}
	}
	return out
}

func at(in replay.Incident) string { return in.At.UTC().Format(time.RFC3339Nano) }

func names(in replay.Incident) string {
	all := make([]string, 0, len(in.Steps))
	for _, s := range in.Steps {
		if s.ID == s.Do {
			all = append(all, s.ID)
		} else {
			all = append(all, s.ID+" ("+s.Do+")")
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func targets(s replay.Step) string {
	all := make([]string, 0, len(s.Targets))
	for _, t := range s.Targets {
		text := t.Would
		if t.ID != "" {
			text += " " + t.ID
		}
		if t.Cause != "" {
			text += " (" + t.Cause + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func sameWith(a, b replay.Step) bool {
	for i := range a.Targets {
		if !bytes.Equal(a.Targets[i].With, b.Targets[i].With) {
			return false
		}
	}
	return true
}
