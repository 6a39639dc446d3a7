package main

import (
	"fmt"
	"math"
	"strconv"

	"firebreak/services/bench/correlate"
)

// tell prints what came of one measure: JSON, or tables for people.
func (b *correlateBench) tell(result measured) error {
	if b.sh.json {
		return b.sh.line(result)
	}
	switch r := result.(type) {
	case correlate.MatchResult:
		return b.sh.printMatch(r)
	case correlate.WindowsResult:
		return b.sh.printWindows(r)
	case correlate.HostileResult:
		return b.sh.printHostile(r)
	case correlate.PipelineResult:
		return b.sh.rows("pipeline", [][]string{
			{"publishing alone", perSecond(r.Publish), ""},
			{"bare ordered consumer", perSecond(r.Bare), ""},
			{fmt.Sprintf("correlator, %s playbooks, %d incidents", grouped(float64(r.Playbooks)), r.Incidents), perSecond(r.Ours), fmt.Sprintf("%.2f × bare", r.Ratio)},
			{"correlator, connected by TCP as the bare consumer is", perSecond(r.Apart), fmt.Sprintf("%.2f × bare", r.RatioTCP)},
		})
	case correlate.LatencyResult:
		return b.sh.rows("latency", [][]string{
			{fmt.Sprintf("event stored → incident stored, %d of %s events, %.0f/s", r.Incidents, grouped(float64(r.N)), r.Reached), fmt.Sprintf("p50 %.3f ms", r.P50), fmt.Sprintf("p95 %.3f ms, p99 %.3f ms", r.P95, r.P99)},
			{"publish → answered", fmt.Sprintf("p50 %.3f ms", r.Publish), ""},
		})
	case correlate.ReplayResult:
		return b.sh.rows("replay", [][]string{
			{"encoding/json of a line into a map, one core", perSecond(r.Bare), ""},
			{fmt.Sprintf("%s events of %.0f bytes, %d playbooks, %d incidents", grouped(float64(r.N)), r.Bytes, r.Playbooks, r.Incidents), perSecond(r.Rate), fmt.Sprintf("%.2f s, %.2f × bare", r.Seconds, r.Ratio)},
		})
	case correlate.RecoveryResult:
		return b.sh.rows("recovery", [][]string{
			{"start on a fresh folder", fmt.Sprintf("%.2f s", r.Empty), ""},
			{fmt.Sprintf("%s events in %s windows, filled", grouped(float64(r.N)), grouped(float64(r.Windows))), grouped(r.Filled) + "/s", ""},
			{"kill -9 → at work again", fmt.Sprintf("%.2f s", r.Seconds), grouped(float64(r.Behind)) + " events after the last checkpoint"},
		})
	default:
		return b.sh.line(result)
	}
}

func (sh *shell) rows(title string, rows [][]string) error {
	err := table(sh.out, []string{title, "", ""}, rows)
	sh.say("")
	return err
}

func (sh *shell) printMatch(r correlate.MatchResult) error {
	rows := [][]string{}
	for _, at := range r.Rates {
		share := fmt.Sprintf("%g %% match", 100*at.Share)
		rows = append(rows, []string{share, "encoding/json into a map", perSecond(at.Map), ""}, []string{share, "a line into an event", perSecond(at.Event), ""})
		for _, s := range at.Sets {
			rows = append(rows, []string{share, "decode + match, " + grouped(float64(s.Playbooks)) + " playbooks", perSecond(s.Rate), fmt.Sprintf("%.2f × bare map", s.OfMap)})
		}
		rows = append(rows, []string{share, "largest set to smallest", fmt.Sprintf("%.2f ×", at.Ratio), ""})
	}
	for _, l := range r.Loads {
		rows = append(rows, []string{"", "load " + grouped(float64(l.Playbooks)) + " playbooks", fmt.Sprintf("%.3f s", l.Read), fmt.Sprintf("+ %.3f s index", l.Index)})
	}
	err := table(sh.out, []string{"match", fmt.Sprintf("one core, %.0f bytes an event", r.Bytes), "", ""}, rows)
	sh.say("")
	return err
}

func (sh *shell) printWindows(r correlate.WindowsResult) error {
	var rows [][]string
	for _, o := range r.Operators {
		rows = append(rows, []string{
			o.Operator, fmt.Sprintf("%.0f", o.MB), fmt.Sprintf("%.0f", o.Each), fmt.Sprintf("%.2f", o.HotP50), fmt.Sprintf("%.2f", o.HotMean), fmt.Sprintf("%.2f", o.Random), fmt.Sprintf("%.2f", o.Whole),
		})
	}
	err := table(sh.out, []string{grouped(float64(r.N)) + " windows", "MB", "B each", "hot p50 µs", "hot mean µs", "random µs", "whole event µs"}, rows)
	sh.say("")
	return err
}

func (sh *shell) printHostile(r correlate.HostileResult) error {
	var sets, conditions, events [][]string
	for _, s := range r.Sets {
		sets = append(sets, []string{s.Name, fmt.Sprintf("%.2f s", s.Load), fmt.Sprintf("%.0f MB", s.MB), fmt.Sprintf("%.2f ms", s.Miss), fmt.Sprintf("%.2f ms", s.Hit), strconv.Itoa(s.Opened)})
	}
	for _, c := range r.Conditions {
		fate, event := refused(c.Refused), ""
		if c.Cut {
			fate = "cut off as it runs"
		}
		if !c.Refused {
			event = fmt.Sprintf("%.2f ms", c.Eval)
		}
		conditions = append(conditions, []string{c.Name, fate, fmt.Sprintf("%.2f ms", c.Took), event})
	}
	for _, e := range r.Events {
		events = append(events, []string{e.Name, grouped(float64(e.Bytes)), refused(e.Refused), fmt.Sprintf("%.3f ms", e.Worst)})
	}
	for _, t := range []struct {
		head []string
		rows [][]string
	}{
		{[]string{"hostile set", "load", "heap", "event, no match", "event, all match", "opened"}, sets},
		{[]string{"hostile condition", "", "load", "event"}, conditions},
		{[]string{"hostile event", "bytes", "", "worst"}, events},
	} {
		if err := table(sh.out, t.head, t.rows); err != nil {
			return err
		}
		sh.say("")
	}
	sh.say("memory growth by all hostile events: %.1f MB\n", r.GrowthMB)
	return nil
}

func (sh *shell) printTargets(sum correlateSummary) error {
	var rows [][]string
	for _, t := range sum.Targets {
		want, met := "≥ "+number(t.Least), "met"
		if t.Least == 0 {
			want = "≤ " + number(t.Most)
		}
		if !t.Met {
			met = "missed"
		}
		rows = append(rows, []string{t.Name, number(t.Value), want, met})
	}
	return table(sh.out, []string{"target", "here", "aim", ""}, rows)
}

func refused(yes bool) string {
	if yes {
		return "refused"
	}
	return "let through"
}

func perSecond(r correlate.Rate) string { return grouped(r.PerSecond) + "/s" }

// number prints a figure of any size.
func number(v float64) string {
	if math.Abs(v) >= 1000 {
		return grouped(v)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// grouped prints a whole number with its thousands apart.
func grouped(v float64) string {
	text := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
