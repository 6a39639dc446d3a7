package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"

	"firebreak/schemas"
	"firebreak/services/workshop/compare"
	"firebreak/services/workshop/replay"
)

func isTerminal(w io.Writer) bool {
	f, is := w.(*os.File)
	return is && term.IsTerminal(int(f.Fd()))
}

// progressBar is one line on a terminal that is written over.
type progressBar struct {
	mu    sync.Mutex
	to    io.Writer // nil: nobody looks
	began time.Time
	last  time.Time
	shown bool
}

func newProgressBar(to io.Writer) *progressBar {
	b := &progressBar{began: time.Now()}
	if isTerminal(to) {
		b.to = to
	}
	return b
}

// progressPause is the time between two of its states.
const progressPause = 200 * time.Millisecond

// show tells how far it has come, now and then.
func (b *progressBar) show(events uint64, done, total int64, run *replay.Run) {
	if b.to == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.last) < progressPause {
		return
	}
	b.last, b.shown = now, true
	where := fmt.Sprintf("%s events", thousands(events))
	if total > 0 {
		where = fmt.Sprintf("%3d %%  %d of %d MiB  %s events", 100*done/total, done>>20, total>>20, thousands(events))
	}
	rate := float64(events) / max(now.Sub(b.began).Seconds(), 0.001)
	fmt.Fprintf(b.to, "\r\x1b[K%s  %s/s  %s", where, thousands(uint64(rate)), countOf(run.Incidents(), "incident"))
}

// clear makes room for another line.
func (b *progressBar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		b.shown = false
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}

// thousands writes a number for people.
func thousands(n uint64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func countOf(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

const replayTime = "2006-01-02T15:04:05.000Z"

// printReplayed shows an incident with what its steps would do.
func (sh *shell) printReplayed(in replay.Incident) {
	group := ""
	if in.Group != "" {
		group = "  " + visible(in.Group)
	}
	sh.say("%s  %s%s  %s%s", in.At.UTC().Format(replayTime), paint(in.Severity), strings.Repeat(" ", max(0, 8-len(in.Severity))), visible(in.Playbook), group)
	for _, s := range in.Steps {
		name := s.ID
		if s.ID != s.Do {
			name = s.ID + " (" + s.Do + ")"
		}
		for _, t := range s.Targets {
			sh.say("    %s", wouldLine(visible(name), t))
		}
	}
}

func wouldLine(name string, t replay.Target) string {
	if t.ID != "" {
		name += " → " + t.Kind + " " + visible(t.ID)
	}
	switch t.Would {
	case replay.Act:
		return name
	case replay.Plan:
		return name + ": planned, not carried out (mode observe)"
	case replay.Skip:
		name += ": " + color.YellowString("skipped")
	case replay.Refuse:
		name += ": " + color.YellowString("refused")
	default:
		name += ": " + color.RedString("failed")
	}
	if t.Reason != "" {
		name += ", " + visible(t.Reason)
	}
	return name
}

// summary prints the last lines.
func (r *replayer) summary(s replay.Summary) error {
	if r.json {
		return r.line(s)
	}
	r.rate(s, countOf(s.Incidents, "incident")+", "+countOf(s.Recurred, "recurrence"))
	r.facts(s)
	return nil
}

func (r *replayer) rate(s replay.Summary, what string) {
	if s.Incidents > 0 || r.diff != nil {
		r.say("")
	}
	r.say("%s in %.2f s (%s/s): %s", countOf(s.Events, "event"), s.Seconds, thousands(uint64(s.EventsPerSecond)), what)
}

// mostListed bounds a list of counts.
const mostListed = 12

func (r *replayer) facts(s replay.Summary) {
	types := map[string]uint64{}
	for t, n := range s.Types {
		types[schemas.ShortType(t)] = n
	}
	incidents, errs := map[string]uint64{}, map[string]uint64{}
	for name, p := range s.Playbooks {
		incidents[name], errs[name] = p.Incidents, p.Errors
	}
	r.listed("events", types)
	r.listed("incidents", incidents)
	r.fact(s.Late, "late", "matches that came too late for their windows, each counted in its playbook")
	r.fact(s.Duplicates, "duplicates", "matches of events that had come before")
	r.fact(s.Suppressed, "suppressed", "matches that a person had asked to leave alone")
	if worst := byCount(errs); s.Errors > 0 && len(worst) > 0 {
		name := worst[0]
		r.fact(s.Errors, "errors", fmt.Sprintf("conditions that could not be evaluated, %s of them in %s, the last: %s",
			thousands(errs[name]), name, s.Playbooks[name].LastError))
	}
	r.fact(s.Unknown, "unknown", "absences of which nobody can say whether the source was alive: --alive takes it for so")
	r.fact(s.Refused, "refused", "events that two readers could read differently")
	r.fact(s.Overflowed, "overflowed", "groups that were forgotten so that others could be kept")
	r.fact(s.Unrecalled, "unrecalled", "events that took part and could not be read again: their fields are missing in the steps")
	r.fact(s.Gaps, "gaps", "places where the log had let events go")
	r.fact(s.Bad, "bad", "lines that are no event")
	if s.Waiting {
		r.say("  %-11s something still waited for time to pass when the events ended", "waiting")
	}
}

func (r *replayer) fact(n uint64, name, what string) {
	if n > 0 {
		r.say("  %-11s %s %s", name, thousands(n), visible(what))
	}
}

func byCount(counts map[string]uint64) []string {
	var names []string
	for name, n := range counts {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	return names
}

func (r *replayer) listed(name string, counts map[string]uint64) {
	names := byCount(counts)
	if len(names) == 0 {
		return
	}
	var parts []string
	for _, n := range names[:min(len(names), mostListed)] {
		parts = append(parts, visible(n)+" "+thousands(counts[n]))
	}
	if more := len(names) - mostListed; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	r.say("  %-11s %s", name, strings.Join(parts, ", "))
}

// differenceSummary is the last line of --against --json.
type differenceSummary struct {
	replay.Summary
	Against    uint64 `json:"incidents_against"` // what the second set opens
	Same       uint64 `json:"same"`
	OnlyFirst  uint64 `json:"only_first"`
	OnlySecond uint64 `json:"only_second"`
	Changed    uint64 `json:"changed"`
	Untold     uint64 `json:"untold"` // differences beyond those that are printed
}

func (r *replayer) differences(sums []replay.Summary) (bool, error) {
	all := r.diff.Differences()
	d := differenceSummary{Summary: sums[0], Against: sums[1].Incidents, Same: r.diff.Same(), Untold: r.diff.Untold()}
	last := ""
	for _, one := range all {
		switch one.Difference {
		case compare.First:
			d.OnlyFirst++
		case compare.Second:
			d.OnlySecond++
		default:
			d.Changed++
		}
		if r.json {
			if err := r.line(one); err != nil {
				return true, err
			}
			continue
		}
		if one.Playbook != last {
			last = one.Playbook
			r.say("%s", color.New(color.Bold).Sprint(visible(last)))
		}
		r.printDifference(one)
	}
	found := len(all) > 0 || d.Untold > 0
	if r.json {
		return found, r.line(d)
	}
	r.rate(d.Summary, fmt.Sprintf("%s and %s against: %s the same, %s gained, %s lost, %s answered otherwise",
		countOf(d.Incidents, "incident"), thousands(d.Against), thousands(d.Same), thousands(d.OnlyFirst), thousands(d.OnlySecond), thousands(d.Changed)))
	r.fact(d.Untold, "untold", "further differences, too many to be shown")
	return found, nil
}

// printDifference shows what one of the sets does and the other does not.
func (r *replayer) printDifference(d compare.Difference) {
	in, mark := d.First, color.GreenString("+")
	switch d.Difference {
	case compare.Second:
		in, mark = d.Second, color.RedString("-")
	case compare.Changed:
		mark = color.YellowString("~")
	}
	var steps []string
	for _, s := range in.Steps {
		for _, t := range s.Targets {
			if t.Would == replay.Act || t.Would == replay.Plan {
				steps = append(steps, strings.TrimSpace(s.Do+" "+visible(t.ID)))
			}
		}
	}
	r.say("  %s %s  %s  %s", mark, in.At.UTC().Format(replayTime), visible(cmp.Or(in.Group, in.Trigger.ID)), strings.Join(steps, ", "))
	for _, w := range d.What {
		r.say("      %s", visible(w))
	}
}
