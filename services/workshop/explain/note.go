package explain

import (
	"fmt"
	"strings"
	"time"

	"firebreak/services/correlator/engine"
	"firebreak/services/playbook"
)

// Note is what the engine tells of an event at a match, or of a match when
// time has run on.
type Note struct {
	What   string `json:"what"`
	Signal string `json:"signal,omitempty"` // the nested match; "" for the playbook's own
	Group  string `json:"group,omitempty"`
	Have   int    `json:"have,omitempty"`
	Need   int    `json:"need,omitempty"`
	Text   string `json:"text"`
}

// NoteOf puts an observation into words. False for what is no news: how the
// conditions of single events stand is told by [Signals].
func NoteOf(p *playbook.Playbook, o engine.Observation) (Note, bool) {
	n := Note{What: string(o.What), Signal: o.Signal, Group: o.Group, Have: o.Have, Need: o.Need}
	m, match := matchOf(p, o.Signal)
	name := "the match"
	if match {
		name = string(m.Op)
		if o.Signal != "" {
			name += " " + o.Signal
		}
	}
	of := ""
	if o.Group != "" {
		of = " for " + o.Group
	}
	switch o.What {
	case engine.Matched, engine.Unmatched:
		return n, false
	case engine.Failed:
		if !match {
			return n, false // the signal's own condition says so
		}
		n.Text = name + " cannot take it"
	case engine.Duplicate:
		n.Text = "it was delivered before: nothing changes"
	case engine.Late:
		n.Text = name + " does not take it, because it is late" + of
	case engine.Window:
		n.Text = fmt.Sprintf("%s has %d of %d%s%s", name, o.Have, o.Need, within(m), of)
	case engine.Waits:
		n.Text = name + " waits" + of
	case engine.Met:
		n.Text = "what " + name + " expects has come" + of
	case engine.Broken:
		n.Text = "until breaks " + name + " off" + of
	case engine.NotKnown:
		n.Text = "it cannot be told whether what " + name + " expects has come" + of
	case engine.Stands:
		n.Text = name + " is complete" + of
	case engine.Fired:
		n.Text = "an incident is opened" + of
	case engine.Recurs:
		n.Text = "the open incident hears of it" + of
	case engine.Suppressed:
		n.Text = "a person asked to leave it alone" + of
	default:
		n.Text = name + ": " + string(o.What) + of
	}
	if o.Detail != "" {
		n.Text += ": " + o.Detail
	}
	return n, true
}

// matchOf finds a nested match by its name, or the playbook's own.
func matchOf(p *playbook.Playbook, name string) (playbook.Match, bool) {
	if name == "" {
		return p.Match, true
	}
	for _, s := range p.Signals {
		if s.Name == name && s.Match != nil {
			return *s.Match, true
		}
	}
	return playbook.Match{}, false
}

func within(m playbook.Match) string {
	switch {
	case m.Within > 0:
		return " within " + Short(m.Within)
	case m.Over > 0:
		return " over " + Short(m.Over)
	}
	return ""
}

// Short writes a time as people do: 5m and not 5m0s.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
