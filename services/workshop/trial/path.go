package trial

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"firebreak/services/workshop/testfile"
)

// path compares the steps: those that ran, in their order, are those that are
// expected; one that did not run counts where the test speaks of its state.
func (j *judge) path(want testfile.Incident, got Happened) {
	var left []StepHappened
	for _, s := range got.Steps {
		if s.Ran || slices.ContainsFunc(want.Steps, func(w testfile.Step) bool { return s.named(w.Name) && didNotRun(w.State) }) {
			left = append(left, s)
		}
	}
	same := len(left) == len(want.Steps)
	for n := range want.Steps {
		same = same && left[n].named(want.Steps[n].Name)
	}
	if !same {
		j.fail(want.Place, Failure{
			Message: got.title() + ": other steps ran", Want: wanted(want.Steps), Got: steps(left), Why: reasons(got.Steps),
		})
		return
	}
	for n, w := range want.Steps {
		j.step(w, left[n], got)
	}
}

// didNotRun says that a state is one of steps that nobody was asked for.
func didNotRun(state string) bool {
	return state == "skipped" || state == "refused" || state == "failed"
}

func (j *judge) step(want testfile.Step, got StepHappened, of Happened) {
	bad := func(what, want, got string, why []string) {
		j.failures = append(j.failures, Failure{
			Message: fmt.Sprintf("%s: %s", of.title(), what), Want: want, Got: got, Why: why,
		})
	}
	before := len(j.failures)
	if want.Targets != nil {
		var ids []string
		for _, t := range got.Targets {
			ids = append(ids, t.ID)
		}
		if !sameSet(want.Targets, ids) {
			bad(got.ID+" on other targets", strings.Join(want.Targets, ", "), strings.Join(ids, ", "), nil)
		}
	}
	for _, t := range of.file.inc.Tasks() {
		if t.Step != got.ID || t.Round != got.Round {
			continue
		}
		what := strings.TrimSuffix(got.ID+" on "+targetOf(t), " on ")
		out := t.Outcome()
		switch {
		case want.State != "" && !is(t, want.State):
			bad(what+" came to another state", want.State, string(t.State()), because(out.Reason))
		case want.State == "" && t.Place == "":
			bad(what+" did not run", "that it runs", string(t.State()), because(out.Reason))
		}
		if want.Cause != "" && want.Cause != out.Cause {
			bad(what+" ended for another cause", want.Cause, out.Cause, because(out.Reason))
		}
		for name, value := range want.With {
			var with map[string]any
			if json.Unmarshal(t.Requested.With, &with) != nil || !reflect.DeepEqual(with[name], value) {
				bad(what+" was given another "+name, text(value), text(with[name]), nil)
			}
		}
	}
	for n := before; n < len(j.failures); n++ {
		j.failures[n].Line, j.failures[n].Column = want.Place.Line, want.Place.Column
	}
}

func because(reason string) []string {
	if reason == "" {
		return nil
	}
	return []string{reason}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func wanted(list []testfile.Step) string {
	var out []string
	for _, s := range list {
		out = append(out, strings.TrimSuffix(s.Text+" "+s.State, " "))
	}
	return orNone(out)
}

func steps(list []StepHappened) string {
	var out []string
	for _, s := range list {
		out = append(out, s.String())
	}
	return orNone(out)
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// reasons are what the steps say of their end.
func reasons(list []StepHappened) []string {
	var out []string
	for _, s := range list {
		for _, t := range s.Targets {
			if t.Reason == "" {
				continue
			}
			if line := s.ID + " " + t.State + ": " + t.Reason; !slices.Contains(out, line) {
				out = append(out, line)
			}
		}
	}
	return out
}

func text(v any) string {
	if v == nil {
		return "none"
	}
	if s, is := v.(string); is {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
