package testfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"firebreak/services/playbook/document"
	"firebreak/services/playbook/near"
)

// Expect is what has to come of a case, exactly: an incident more or less fails.
type Expect struct {
	At        document.Place
	Incidents []Incident
	Unknown   []Group
}

// Incident is one that is expected.
type Incident struct {
	Place    document.Place
	By       *Group // nil: any group
	At       *time.Duration
	Severity string
	Steps    []Step // all that run; nil: whatever they are
	Not      []Name
	Recurred *int
	Outcome  string
}

// Group is a group as the test writes it: one value, several, or by field.
type Group struct {
	Place  document.Place
	Values []any          // one or several, in the order of `by`
	Fields map[string]any // by path
}

// Name is a step's id or action.
type Name struct {
	Text  string
	Place document.Place
}

// Step is one that is expected to run, or to end as State says.
type Step struct {
	Name
	Targets []string // ids; nil: whatever they are
	State   string   // "": whatever it is, but it ran
	Cause   string
	With    map[string]any // some of its parameters
}

func (r *reader) expect(w writtenExpect, p string) Expect {
	out := Expect{At: r.tree.Place(p)}
	for n, i := range w.Incidents {
		out.Incidents = append(out.Incidents, r.incident(i, fmt.Sprintf("%s/incidents/%d", p, n)))
	}
	for n, u := range w.Unknown {
		if g := r.group(u, fmt.Sprintf("%s/unknown/%d", p, n)); g != nil {
			out.Unknown = append(out.Unknown, *g)
		}
	}
	return out
}

func (r *reader) incident(w writtenIncident, p string) Incident {
	out := Incident{
		Place: r.tree.Place(p), Severity: w.Severity, Recurred: w.Recurred, Outcome: w.Outcome,
		By: r.group(w.By, p+"/by"), At: duration(w.At),
	}
	if w.Steps != nil {
		out.Steps = []Step{}
	}
	for n, s := range w.Steps {
		out.Steps = append(out.Steps, r.step(s, fmt.Sprintf("%s/steps/%d", p, n)))
	}
	for n, name := range w.Not {
		out.Not = append(out.Not, Name{Text: name, Place: r.tree.Place(fmt.Sprintf("%s/not/%d", p, n))})
	}
	return out
}

func (r *reader) group(raw json.RawMessage, p string) *Group {
	if raw == nil {
		return nil
	}
	g := &Group{Place: r.tree.Place(p)}
	switch v := r.any(raw, p).(type) {
	case map[string]any:
		g.Fields = v
	case []any:
		g.Values = v
	case nil:
		r.problem(p, "want the group's value, got nothing", "")
	default:
		g.Values = []any{v}
	}
	return g
}

func (r *reader) step(raw json.RawMessage, p string) Step {
	out := Step{Name: Name{Place: r.tree.Place(p)}}
	switch v := r.any(raw, p).(type) {
	case string:
		out.Text = v
		return out
	case map[string]any:
		before := len(r.problems)
		r.check(v, reflect.TypeFor[writtenStep](), p, "")
		if len(r.problems) > before {
			return out
		}
	default:
		r.problem(p, "want a step's id or action, or keys such as do and state, got "+kindOf(v), "")
		return out
	}
	var w writtenStep
	r.into(raw, p, &w)
	out.Text, out.State, out.Cause = w.ID, w.State, w.Cause
	switch {
	case w.ID != "" && w.Do != "", w.ID == "" && w.Do == "":
		r.problem(p, "want one of id and do", "id tells steps with the same action apart")
	case w.Do != "":
		out.Text = w.Do
	}
	if w.With != nil {
		r.into(w.With, p+"/with", &out.With)
	}
	switch v := r.any(w.Target, p+"/target").(type) {
	case nil:
	case string:
		out.Targets = []string{v}
	case []any:
		out.Targets = []string{}
		for _, e := range v {
			out.Targets = append(out.Targets, fmt.Sprint(e))
		}
	default:
		r.problem(p+"/target", "want the id of a target or a list of them, got "+kindOf(v), "put it in quotes")
	}
	return out
}

func (r *reader) mocks(w map[string]json.RawMessage, p string) []Mock {
	var out []Mock
	for name, raw := range w {
		at := below(p, name)
		m := Mock{Step: name, At: r.tree.Keys[at]}
		list, many := r.any(raw, at).([]any)
		if !many {
			list = []any{r.any(raw, at)}
		}
		for n, v := range list {
			one := at
			if many {
				one = fmt.Sprintf("%s/%d", at, n)
			}
			m.Answers = append(m.Answers, r.answer(v, one))
		}
		if len(list) == 0 {
			r.problem(at, "the list is empty", "write what becomes of the first attempt")
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Mock) int { return strings.Compare(a.Step, b.Step) })
	return out
}

func (r *reader) answer(v any, p string) Answer {
	var a Answer
	switch v := v.(type) {
	case string:
		a.State = v
	case map[string]any:
		if len(v) != 1 {
			r.problem(p, fmt.Sprintf("want one state with its reason, got %d", len(v)), "a list stands for one attempt after the other")
			return a
		}
		for state, reason := range v {
			text, ok := reason.(string)
			if !ok {
				r.problem(below(p, state), "want the reason as text, got "+kindOf(reason), "")
			}
			a = Answer{State: state, Reason: text}
		}
	default:
		r.problem(p, "want a state such as failed, got "+kindOf(v), "")
		return a
	}
	if !slices.Contains(Answers(), a.State) {
		fix := "known are " + strings.Join(Answers(), ", ")
		if word := near.Nearest(a.State, Answers()); word != "" {
			fix = "did you mean " + word + "?"
		}
		r.problem(p, fmt.Sprintf("%q is no state that a place answers with", shorten(a.State)), fix)
	}
	return a
}

// String is the group as the engine writes it: one value as it is, several as
// a JSON list; by field for people.
func (g Group) String() string {
	var v any = g.Values
	switch {
	case g.Fields != nil:
		v = g.Fields
	case len(g.Values) == 1:
		v = g.Values[0]
	}
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
