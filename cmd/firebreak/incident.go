package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"firebreak/schemas"
	"firebreak/services/incident"
)

func incidentCommand(sh *shell) *cobra.Command {
	return parent("incident", "List, show and release incidents", incidentList(sh), incidentShow(sh), incidentRelease(sh))
}

func incidentList(sh *shell) *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use: "list", Short: "List incidents, the newest last", Args: noArgs,
		Example: "  firebreak incident list --open\n  firebreak incident list --json | jq -r 'select(.state==\"open\").id'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			views, err := sh.incidents(cmd.Context())
			if err != nil {
				return err
			}
			if open {
				views = slices.DeleteFunc(views, func(v incident.View) bool { return v.State != incident.Open })
			}
			if sh.json {
				for _, v := range views {
					if err := sh.line(v); err != nil {
						return err
					}
				}
				return nil
			}
			return sh.printIncidents(views)
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "only those that are open")
	return cmd
}

func (sh *shell) printIncidents(views []incident.View) error {
	if len(views) == 0 {
		sh.say("no incidents")
		return nil
	}
	rows := make([][]string, 0, len(views))
	for _, v := range views {
		rows = append(rows, []string{v.ID, v.Opened.Local().Format(time.DateTime), v.Severity, v.State, v.Playbook, summary(v)})
	}
	return table(sh.out, []string{"ID", "OPENED", "SEVERITY", "STATE", "PLAYBOOK", "STEPS"}, rows)
}

// summary says in a few words what became of the steps.
func summary(v incident.View) string {
	var parts []string
	for _, s := range v.Steps {
		states := map[string]int{}
		var order []string
		for _, t := range s.Targets {
			if states[string(t.State)] == 0 {
				order = append(order, string(t.State))
			}
			states[string(t.State)]++
		}
		for i, state := range order {
			if states[state] > 1 {
				order[i] = fmt.Sprintf("%s×%d", state, states[state])
			}
		}
		if len(order) == 0 {
			order = []string{"–"}
		}
		parts = append(parts, s.Action+" "+strings.Join(order, "/"))
	}
	return strings.Join(parts, ", ")
}

// incidents folds the whole ledger.
func (sh *shell) incidents(ctx context.Context) ([]incident.View, error) {
	folded, err := sh.fold(ctx, nil)
	if err != nil {
		return nil, err
	}
	views := make([]incident.View, 0, len(folded))
	for _, i := range folded {
		if i.Opened() != nil {
			views = append(views, i.View())
		}
	}
	slices.SortStableFunc(views, func(a, b incident.View) int { return a.Opened.Compare(b.Opened) })
	return views, nil
}

// fold reads the ledger as it stands; each record is shown to see, too.
func (sh *shell) fold(ctx context.Context, see func(schemas.Record)) ([]*incident.Incident, error) {
	people, done, err := sh.people(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return foldLedger(ctx, people, see)
}

var errAll = errors.New("all is read")

func foldLedger(ctx context.Context, ledger interface {
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
}, see func(schemas.Record),
) ([]*incident.Incident, error) {
	byID := map[string]*incident.Incident{}
	var order []*incident.Incident
	ctx, heard, done := whileHeard(ctx)
	defer done()
	err := ledger.FollowLedger(ctx, 0, func(r schemas.Record) error {
		heard()
		if see != nil {
			see(r)
		}
		i := byID[r.Incident]
		if i == nil {
			i = incident.New(r.Incident)
			byID[r.Incident] = i
			order = append(order, i)
		}
		if err := i.Apply(r); err != nil && !errors.Is(err, incident.ErrImpossible) && !errors.Is(err, schemas.ErrInvalid) {
			return err
		}
		return nil
	}, func() error { return errAll })
	if err != nil && !errors.Is(err, errAll) {
		return nil, fmt.Errorf("read the ledger: %w", told(ctx, err))
	}
	return order, nil
}

// one finds the incident that an id, or the unique beginning of one, names.
func one(all []*incident.Incident, id string) (*incident.Incident, error) {
	if id == "" {
		return nil, usagef("the id of the incident is empty: `firebreak incident list` shows those there are")
	}
	var found []*incident.Incident
	for _, i := range all {
		if i.ID == id {
			return i, nil
		}
		if strings.HasPrefix(i.ID, id) && i.Opened() != nil {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("there is no incident %q: `firebreak incident list` shows those there are", visible(id))
	default:
		return nil, fmt.Errorf("%q begins %d incidents: give more of the id", visible(id), len(found))
	}
}

func incidentShow(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an incident with every record of it", Args: exactly(1, "the id of one incident, or its beginning"),
		Example: "  firebreak incident show 4kq2\n  firebreak incident show 4kq2 --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			records := map[string][]schemas.Record{}
			all, err := sh.fold(cmd.Context(), func(r schemas.Record) { records[r.Incident] = append(records[r.Incident], r) })
			if err != nil {
				return err
			}
			i, err := one(all, args[0])
			if err != nil {
				return err
			}
			if sh.json {
				return sh.line(struct {
					incident.View
					Records []recordView `json:"records"`
				}{i.View(), viewRecords(records[i.ID])})
			}
			return sh.printIncident(i.View(), records[i.ID])
		},
	}
}

func (sh *shell) printIncident(v incident.View, records []schemas.Record) error {
	sh.say("%s  %s  %s  %s", visible(v.ID), paint(visible(v.Severity)), paint(v.State), visible(v.Playbook))
	sh.say("%s", visible(v.Summary))
	for _, s := range v.Steps {
		for _, t := range s.Targets {
			sh.say("  %s on %s %s: %s%s", visible(s.Action), visible(t.Kind), visible(t.ID), paint(string(t.State)), because(t))
		}
		if len(s.Targets) == 0 {
			sh.say("  %s: not asked yet", visible(s.Action))
		}
	}
	sh.say("")
	for _, r := range records {
		sh.say("%s", recordLine(r))
	}
	return nil
}

func because(t incident.TargetView) string {
	text := ""
	if t.Error != "" {
		text = ": " + visible(t.Error)
	}
	if t.Remedy != "" {
		text += " → " + visible(t.Remedy)
	}
	if t.Held {
		text += " [held]"
	}
	return text
}

// maxWhy is how long a reason in the ledger may be.
const maxWhy = 4096

func incidentRelease(sh *shell) *cobra.Command {
	var why string
	var suppress time.Duration
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "release ID", Short: "Let go of everything that an incident holds, the last step first",
		Args: exactly(1, "the id of one incident, or its beginning"),
		Example: `  firebreak incident release 4kq2 --why "our own load test"
  firebreak incident release 4kq2 --suppress 24h     and open none for the same group that long`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if suppress < 0 || wait < 0 {
				return usagef("a time cannot be negative")
			}
			if len(why) > maxWhy {
				return usagef("--why is %d bytes long; %d are enough for a reason", len(why), maxWhy)
			}
			return sh.release(cmd.Context(), args[0], why, suppress, wait)
		},
	}
	cmd.Flags().StringVar(&why, "why", "", "why, for the ledger")
	cmd.Flags().DurationVar(&suppress, "suppress", 0, "leave the same group alone for that long")
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait until everything is let go; 0 does not wait")
	return cmd
}

func (sh *shell) release(ctx context.Context, id, why string, suppress, wait time.Duration) error {
	people, done, err := sh.people(ctx)
	if err != nil {
		return err
	}
	defer done()
	all, err := foldLedger(ctx, people, nil)
	if err != nil {
		return err
	}
	i, err := one(all, id)
	if err != nil {
		return err
	}
	if i.Opened() == nil {
		return fmt.Errorf("%q is no incident: there is nothing to release", visible(id))
	}
	if i.State() == incident.Closed {
		return fmt.Errorf("incident %s is closed (%s): it holds nothing that could be let go", i.ID, i.Outcome())
	}
	if err := askRelease(ctx, people, i.ID, schemas.ReleaseAsked{By: whoami(), Why: why, Suppress: schemas.Duration(suppress)}); err != nil {
		return err
	}
	if wait == 0 {
		return sh.released(i.View())
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	last := i.View()
	err = people.FollowLedger(ctx, 0, func(r schemas.Record) error {
		if r.Incident != i.ID {
			return nil
		}
		if err := i.Apply(r); err != nil && !errors.Is(err, incident.ErrImpossible) {
			return err
		}
		if last = i.View(); last.State == incident.Closed {
			return errAll
		}
		return nil
	}, func() error {
		if last = i.View(); last.State == incident.Closed {
			return errAll
		}
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the release of %s is asked for and stored, but after %s not everything is let go (%s): is the responder of that node running? `firebreak incident show %s` tells more", i.ID, wait, summary(last), i.ID)
	}
	if err != nil && !errors.Is(err, errAll) {
		return fmt.Errorf("wait for the release: %w", err)
	}
	return sh.released(last)
}

func (sh *shell) released(v incident.View) error {
	if sh.json {
		return sh.line(v)
	}
	sh.say("%s %s: %s", v.ID, paint(v.State), summary(v))
	return nil
}

// asker is what a person's wishes are written through.
type asker interface {
	Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error)
	Last(ctx context.Context, incident, task, place string) (schemas.Record, error)
}

func askRelease(ctx context.Context, people asker, id string, ask schemas.ReleaseAsked) error {
	return wish(ctx, people, id, schemas.KindReleaseAsked, ask)
}

// wish appends a record of the people to an incident. Two people may wish at once.
func wish(ctx context.Context, people asker, id string, kind schemas.Kind, data any) error {
	ctx, _, done := whileHeard(ctx)
	defer done()
	if err := writeWish(ctx, people, id, kind, data); err != nil {
		return told(ctx, err)
	}
	return nil
}

func writeWish(ctx context.Context, people asker, id string, kind schemas.Kind, data any) error {
	for range 10 {
		last, err := people.Last(ctx, id, schemas.TaskIncident, schemas.PlacePeople)
		if err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		now := time.Now()
		r, err := schemas.NewRecord(id, schemas.TaskIncident, schemas.PlacePeople, kind, int(now.UnixNano()), now, data)
		if err != nil {
			return err
		}
		_, err = people.Append(ctx, r, headOf(last))
		if err == nil {
			return nil
		}
		if !errors.Is(err, schemas.ErrConflict) {
			return fmt.Errorf("write to the ledger: %w", err)
		}
	}
	return errors.New("write to the ledger: others write to this incident at the same time; try again")
}

func headOf(r schemas.Record) schemas.Head {
	if r.Seq == 0 {
		return schemas.Head{}
	}
	return r.Head()
}

// whoami is the person at the keyboard, as far as the system knows.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}
