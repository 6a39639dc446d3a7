package playbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
	"firebreak/services/playbook/near"
)

// walk is what is known on the way through the steps.
type walk struct {
	p        *Playbook
	ids      map[string]bool // all ids in use, so that a default is not taken
	earlier  []string        // steps that have run before this one
	captured bool            // evidence has been captured
	perhaps  []string        // steps before this one that capture it on a condition

	groups map[string][]string // the steps within each parallel that has run before, by its id
	dead   map[string]bool     // steps that never run, by id
	failed []string            // the steps in whose stead these run

	assumed []string // paths that are there, since the conditions of the step and of what holds it are true
}

// steps checks and compiles `then`.
func (c *check) steps(p *Playbook) {
	w := &walk{p: p, ids: map[string]bool{}, groups: map[string][]string{}, dead: map[string]bool{}}
	c.writtenIDs(w, c.doc.Then)
	p.Steps = c.list(w, c.doc.Then, false)
}

// writtenIDs takes the ids that the author chose, before any default is.
func (c *check) writtenIDs(w *walk, steps []document.Step) {
	for _, s := range steps {
		if s.ID != nil && s.ID.Value != "" {
			if w.ids[s.ID.Value] {
				c.errorf(s.ID.At, "give each step its own", "the id %s is given twice", s.ID.Value)
			}
			w.ids[s.ID.Value] = true
		}
		c.writtenIDs(w, s.Parallel)
		c.writtenIDs(w, s.OnFailure)
	}
}

func (w *walk) id(s document.Step) string {
	if s.ID != nil {
		return s.ID.Value
	}
	name := "parallel"
	if s.Do != nil {
		name = s.Do.Value
	}
	id := name
	for n := 2; w.ids[id]; n++ {
		id = fmt.Sprintf("%s-%d", name, n)
	}
	w.ids[id] = true
	return id
}

// list compiles steps that follow one another, or that run at once.
func (c *check) list(w *walk, steps []document.Step, atOnce bool) []schemas.Step {
	var out []schemas.Step
	var ids []string
	captured, perhaps := w.captured, w.perhaps
	for _, s := range steps {
		id := w.id(s)
		out = append(out, c.step(w, s, id))
		if atOnce {
			ids = append(ids, id)
			continue
		}
		w.earlier = append(w.earlier, id)
		switch {
		case !captures(s):
		case c.certain(w, s) && !w.dead[id]:
			captured = true
		default:
			perhaps = append(slices.Clip(perhaps), id)
		}
		w.captured, w.perhaps = captured, perhaps
	}
	w.earlier = append(w.earlier, ids...)
	return out
}

// captures says whether a step captures evidence.
func captures(s document.Step) bool {
	return s.Do != nil && strings.HasPrefix(s.Do.Value, "evidence.") || slices.ContainsFunc(s.Parallel, captures)
}

// certain says whether what captures evidence among a step does so whatever
// else happens.
func (c *check) certain(w *walk, s document.Step) bool {
	switch {
	case len(s.Needs) > 0 || s.When != nil && !c.always(w, s.When.Value):
		return false
	case len(s.Parallel) == 0:
		return true
	default:
		return slices.ContainsFunc(s.Parallel, func(p document.Step) bool { return captures(p) && c.certain(w, p) })
	}
}

// always says whether a condition is true by what is known of the playbook.
func (c *check) always(w *walk, text string) bool {
	scope := w.scope()
	scope.Lookups = true
	p, err := c.compiler.StepIn("!("+text+"\n)", expr.Bool, scope)
	return err == nil && w.never(p)
}

// never says whether a condition is false by what is known of the playbook.
func (w *walk) never(p *expr.Program) bool {
	incident := map[string]any{"severity": w.p.Severity, "playbook": w.p.Name}
	return p.Never(map[string]any{"incident": incident}, "incident.severity", "incident.playbook")
}

func (c *check) step(w *walk, s document.Step, id string) schemas.Step {
	out := schemas.Step{ID: id}
	if s.When != nil && s.When.Value != "" {
		out.When = s.When.Value
		outer := w.assumed
		w.assumed = append(slices.Clip(outer), c.stepWhen(w, *s.When, id)...)
		defer func() { w.assumed = outer }()
	}
	out.Needs = c.needs(w, s, id)
	switch {
	case s.Do != nil && s.Parallel != nil:
		c.errorf(s.At, "put the action among the parallel ones", "a step has either do or parallel")
	case s.Parallel != nil:
		c.parallelOnly(s)
		out.Parallel = c.list(w, s.Parallel, true)
		spread(out.Parallel, out.When, out.Needs)
		w.groups[id] = within(out.Parallel)
	case s.Do == nil:
		c.errorf(s.At, "add do: with the name of an action", "a step that does nothing")
	case s.Do.Value != "":
		c.action(w, s, &out, w.scope())
	}
	out.OnFailure = c.onFailure(w, s, id)
	return out
}

// stepWhen compiles a step's condition, and finds out whether it can ever be
// true; it gives the paths that are there when it is.
func (c *check) stepWhen(w *walk, text document.Text, id string) []string {
	scope := w.scope()
	scope.Lookups = true
	p, err := c.compiler.StepIn(text.Value, expr.Bool, scope)
	if err == nil && w.never(p) {
		c.errorf(text.At, "take the step out, or its condition", "unreachable: the condition is never true in this playbook")
		w.dead[id] = true
		return nil
	}
	if p = c.compiled(text, p, err); p == nil {
		return nil
	}
	return p.Present()
}

// spread gives the steps of a parallel what its own `when` and `needs` ask for:
// only steps that do something are decided.
func spread(steps []schemas.Step, when string, needs []string) {
	for n := range steps {
		s := &steps[n]
		if len(s.Parallel) > 0 {
			spread(s.Parallel, when, needs)
			continue
		}
		switch {
		case when == "":
		case s.When == "":
			s.When = when
		default:
			s.When = enclosed(when) + " && " + enclosed(s.When)
		}
		for _, need := range needs {
			if !slices.Contains(s.Needs, need) {
				s.Needs = append(s.Needs, need)
			}
		}
	}
}

// enclosed puts an expression in parentheses; a comment at its end must not
// take in the closing one.
func enclosed(text string) string {
	if strings.Contains(text, "//") {
		text += "\n"
	}
	return "(" + text + ")"
}

// within gives the ids of the steps that do something.
func within(steps []schemas.Step) []string {
	var out []string
	for _, s := range steps {
		if len(s.Parallel) > 0 {
			out = append(out, within(s.Parallel)...)
			continue
		}
		out = append(out, s.ID)
	}
	return out
}

// onFailure compiles the steps that run in a step's stead. What they leave
// behind is not there for the steps after it, which run as often without them.
func (c *check) onFailure(w *walk, s document.Step, id string) []schemas.Step {
	inner := *w
	inner.earlier = append(slices.Clone(w.earlier), id)
	inner.captured = w.captured // what failed has captured nothing
	inner.groups = maps.Clone(w.groups)
	inner.failed = append(slices.Clone(w.failed), id)
	if w.dead[id] && len(s.OnFailure) > 0 {
		c.errorf(s.OnFailure[0].At, "take it out", "unreachable: %s never runs, so it cannot fail", id)
	}
	return c.list(&inner, s.OnFailure, false)
}

func (c *check) needs(w *walk, s document.Step, id string) []string {
	var out []string
	for _, n := range s.Needs {
		ids, group := w.groups[n.Value]
		if !group {
			ids = []string{n.Value}
		}
		out = append(out, ids...)
		switch {
		case n.Value == "": // its absence was reported
		case w.dead[n.Value]:
			c.errorf(n.At, "take it out", "unreachable: it needs %s, which never runs", n.Value)
			w.dead[id] = true
		case slices.Contains(w.failed, n.Value):
			c.errorf(n.At, "take it out", "unreachable: it needs %s, and runs only when that has failed", n.Value)
			w.dead[id] = true
		case group || slices.Contains(w.earlier, n.Value):
		case w.ids[n.Value]:
			c.errorf(n.At, "move that step up", "needs %s, which does not run before this step", n.Value)
		default:
			fix := ""
			if word := near.Nearest(n.Value, w.earlier); word != "" {
				fix = "did you mean " + word + "?"
			}
			c.errorf(n.At, fix, "needs %s, which is no step before this one", n.Value)
		}
	}
	return out
}

// parallelOnly refuses what belongs to an action on a group of steps.
func (c *check) parallelOnly(s document.Step) {
	for key, at := range map[string]*document.Place{
		"target": placeOf(s.Target), "onExpire": placeOf(s.OnExpire),
	} {
		if at != nil {
			c.errorf(*at, "write it at the steps within", "%s has no meaning on parallel", key)
		}
	}
	if s.With != nil {
		c.errorf(s.With.At, "write it at the steps within", "with has no meaning on parallel")
	}
	if s.For != nil {
		c.errorf(s.For.At, "write it at the steps within", "for has no meaning on parallel")
	}
	if s.Retry != nil {
		c.errorf(s.Retry.Attempts.At, "write it at the steps within", "retry has no meaning on parallel")
	}
	if s.Timeout != nil {
		c.errorf(s.Timeout.At, "write it at the steps within", "timeout has no meaning on parallel")
	}
	if s.Irreversible != nil {
		c.errorf(s.Irreversible.At, "write it at the steps within", "irreversible has no meaning on parallel")
	}
}

func placeOf(t *document.Text) *document.Place {
	if t == nil {
		return nil
	}
	return &t.At
}
