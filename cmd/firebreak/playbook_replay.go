package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/playbooks"
	"firebreak/schemas"
	"firebreak/services/bus"
	"firebreak/services/playbook"
	"firebreak/services/playbook/near"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/replay"
)

// replayAsk is what is to be replayed, as the flags say it.
type replayAsk struct {
	files     []string
	as        string
	strict    bool
	playbooks []string
	against   []string
	library   bool
	names     []string
	alive     bool
	since     string
	until     string
	log       bool
	check     bool
	export    string

	from, to time.Time // of since and until
}

func playbookReplay(sh *shell) *cobra.Command {
	ask := replayAsk{}
	cmd := &cobra.Command{
		Use: "replay FILE|-…", Short: "Run recorded events through playbooks, and see the incidents",
		Long: `Run recorded events through playbooks, and see which incidents they open and
what the steps would do. The engine is the one that matches live; nothing is
touched, and no place is asked.

Events are CloudEvents, one JSON object a line, or what --as says; - reads
standard input, and files that end in .gz are unpacked. Several files are read
one after the other. A line that is no event is told and counted, and makes the
exit code 1 in the end. The playbooks are those of --playbooks, or of the
folders that the configuration names, with the built-in library in its own modes.

Time is that of the events. An absence is only certain while its source was
alive: --alive takes all sources for alive, as files seldom hold heartbeats.
What waits for time to pass still waits when the events end.

--from-log replays EVENTS instead, with the playbooks that were in force at each
moment unless --playbooks names others: that gives what was decided live, and
--check compares the two. --export writes the events to a file with their places
in the log, so that a replay of the file gives the same.

--against runs other playbooks over the same events and tells the difference:
what only the one or the other opens, and what they answer otherwise.

Exit code 0; 1 when a line could not be taken, --against found a difference or
--check a disagreement; 2 when the command was wrong.`,
		Example: `  firebreak playbook replay --playbooks my-playbooks events.ndjson
  firebreak playbook replay --as k8s-audit --library=false --playbooks my-playbooks audit.log.gz --json
  firebreak playbook replay --playbooks new --against old events.ndjson
  firebreak playbook replay --from-log --since 24h --check
  firebreak playbook replay --from-log --export events.ndjson.gz`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ask.files = args
			if err := ask.valid(time.Now()); err != nil {
				return err
			}
			return sh.replay(cmd.Context(), &ask)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&ask.playbooks, "playbooks", nil, "folder or file of playbooks; may be repeated (default: those that the configuration names)")
	f.StringSliceVar(&ask.against, "against", nil, "other playbooks over the same events: only the difference is told")
	f.BoolVar(&ask.library, "library", true, "the built-in library too")
	f.StringSliceVar(&ask.names, "playbook", nil, "only playbooks of this name; may be repeated")
	f.StringVar(&ask.as, "as", format.CloudEvents, "format of the events: "+strings.Join(format.Names(), ", "))
	f.BoolVar(&ask.strict, "strict", false, "stop at the first line that is no event")
	f.BoolVar(&ask.alive, "alive", false, "take every source for alive throughout")
	f.StringVar(&ask.since, "since", "", "only incidents from then on: a time such as 2026-03-04T05:06:07Z, or 24h ago; events before still count")
	f.StringVar(&ask.until, "until", "", "only incidents before that")
	f.BoolVar(&ask.log, "from-log", false, "replay the log of events instead of files")
	f.BoolVar(&ask.check, "check", false, "with --from-log: compare with the incidents that were opened live")
	f.StringVar(&ask.export, "export", "", "with --from-log: write the events to this file instead, which must not be there yet; - for standard output")
	complete(cmd, "as", format.Names())
	return cmd
}

// valid says what does not go together.
func (a *replayAsk) valid(now time.Time) (err error) {
	switch {
	case a.log && len(a.files) > 0:
		return usagef("--from-log reads the log: leave %s out, or --from-log", visible(a.files[0]))
	case !a.log && len(a.files) == 0:
		return usagef("no file with events is given: `firebreak playbook replay FILE`, - for standard input, or --from-log")
	case !a.log && (a.check || a.export != ""):
		return usagef("--check and --export go with --from-log")
	case a.check && (len(a.playbooks)+len(a.against)+len(a.names) > 0 || a.until != "" || a.alive):
		return usagef("--check compares what was decided live with the playbooks of that time: it goes with --since alone")
	case a.export != "" && (a.check || len(a.playbooks)+len(a.against)+len(a.names) > 0 || a.alive):
		return usagef("--export writes events and runs no playbook: it goes with --since and --until alone")
	case !slices.Contains(format.Names(), a.as):
		hint := ""
		if n := near.Nearest(a.as, format.Names()); n != "" {
			hint = ": did you mean " + n + "?"
		}
		return usagef("--as %q: known are %s%s", visible(a.as), strings.Join(format.Names(), ", "), hint)
	case count1(a.files, "-") > 1:
		return usagef("standard input (-) can be read once")
	}
	if a.from, err = moment("--since", a.since, now); err != nil {
		return err
	}
	if a.to, err = moment("--until", a.until, now); err != nil {
		return err
	}
	if !a.to.IsZero() && !a.from.Before(a.to) {
		return usagef("--since %s is not before --until %s", a.since, a.until)
	}
	return a.there()
}

func count1(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// there looks for the files before anything is loaded.
func (a *replayAsk) there() error {
	for _, name := range a.files {
		if name == "-" {
			continue
		}
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return usagef("there is no %s", visible(name))
		case err != nil:
			return usagef("events: %w", err)
		case info.IsDir():
			return usagef("%s is a folder: name the files in it", visible(name))
		}
	}
	return nil
}

// moment reads a time, or how long ago it was; zero for none.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usagef("%s %q: want a time such as 2026-03-04T05:06:07Z, a day such as 2026-03-04, or how long ago, such as 24h", flag, visible(text))
}

// replaySet loads the playbooks of paths, or else of the folders that the
// configuration names, with the library in its own modes.
func (sh *shell) replaySet(a *replayAsk, paths []string) (*playbook.Set, error) {
	var all []playbook.Source
	if a.library {
		library, err := playbook.FromFS(playbooks.FS, "")
		if err != nil {
			return nil, fmt.Errorf("embedded library: %w", err)
		}
		for i := range library {
			library[i].Name = "library/" + library[i].Name
		}
		all = library
	}
	if len(paths) == 0 {
		cfg, err := loadConfig(sh.config)
		if err != nil {
			return nil, err
		}
		paths = cfg.Playbooks
	}
	for _, p := range paths {
		found, err := read(p)
		if err != nil {
			return nil, usageError{err}
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, usagef("there is no playbook: name a folder by --playbooks, or leave out --library=false")
	}
	set, findings := playbook.Load(all, action.Specs())
	if set == nil {
		hint := "`firebreak playbook lint` tells all of it"
		if a.library {
			hint += "; --library=false leaves the built-in ones out"
		}
		return nil, usagef("%s (%s)", visible(firstError(findings)), hint)
	}
	return a.narrow(set, true)
}

// narrow leaves the playbooks that --playbook names; all must be there when the
// set is the only one.
func (a *replayAsk) narrow(set *playbook.Set, only bool) (*playbook.Set, error) {
	if len(a.names) == 0 || set == nil {
		return set, nil
	}
	out := *set
	out.Playbooks = nil
	var names []string
	for _, p := range set.Playbooks {
		names = append(names, p.Name)
		if slices.Contains(a.names, p.Name) {
			out.Playbooks = append(out.Playbooks, p)
		}
	}
	for _, n := range a.names {
		if only && !slices.Contains(names, n) && len(a.against) == 0 {
			hint := ""
			if word := near.Nearest(n, names); word != "" {
				hint = ": did you mean " + word + "?"
			}
			return nil, usagef("--playbook %s: there is none of this name%s", visible(n), hint)
		}
	}
	return &out, nil
}

// replay runs what was asked for.
func (sh *shell) replay(ctx context.Context, a *replayAsk) error {
	if a.export != "" {
		return sh.exportLog(ctx, a)
	}
	r := newReplayer(sh, a)
	own := a.log && len(a.playbooks) == 0 // the playbooks of the log
	var err error
	if !own {
		if r.set, err = sh.replaySet(a, a.playbooks); err != nil {
			return err
		}
	}
	if len(a.against) > 0 {
		if r.other, err = sh.replaySet(a, a.against); err != nil {
			return err
		}
	}
	if a.log {
		return r.fromLog(ctx, own)
	}
	return r.fromFiles(ctx)
}

// run makes a run of a set.
func (r *replayer) run(set *playbook.Set, recall func(uint64) (schemas.Event, error), tell func(replay.Incident) error) *replay.Run {
	return replay.New(replay.Config{
		Set: set, Specs: action.Specs(), Alive: r.ask.alive, Core: bus.Core.Writer(),
		Since: r.ask.from, Until: r.ask.to, Recall: recall, Incident: tell, Beside: r.diff == nil,
	})
}
