package playbook

import (
	"encoding/json"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
	"firebreak/services/playbook/near"
)

// What becomes of an effect when its time is over.
const (
	ExpireKeep      = "keep"
	ExpireRelease   = "release"
	ExpireTerminate = "terminate"
)

// action compiles a step that does something.
func (c *check) action(w *walk, s document.Step, out *schemas.Step, scope expr.Scope) {
	out.Do = s.Do.Value
	spec, known := c.actions.specs[out.Do]
	if !known {
		c.unknownAction(s.Do)
	}
	if s.Target != nil && s.Target.Value != "" {
		out.Target = s.Target.Value
		lookups := scope
		lookups.Lookups = true // and not in the texts of with
		if p := c.inStep(*s.Target, expr.Any, lookups); p != nil {
			c.target(w, *s.Target, p, spec)
		}
	}
	if s.With != nil {
		out.With = json.RawMessage(s.With.JSON)
	}
	c.timing(w, s, out)
	out.Irreversible = s.Irreversible != nil && s.Irreversible.Value
	texts := c.templates(s.With, scope)
	if !known {
		return
	}
	c.with(s, spec, texts)
	c.safety(w, s, spec)
}

func (c *check) unknownAction(do *document.Text) {
	names := c.actions.names()
	fix := "known are " + strings.Join(names, ", ")
	if word := near.Nearest(do.Value, names); word != "" {
		fix = "did you mean " + word + "?"
	}
	c.errorf(do.At, fix, "unknown action %q", do.Value)
}

// timing reads for, onExpire, retry and timeout.
func (c *check) timing(w *walk, s document.Step, out *schemas.Step) {
	if s.For != nil {
		out.For = schemas.Duration(s.For.Value)
		// What matters most is not let go without anybody looking.
		out.OnExpire = ExpireRelease
		if w.p.Severity == "high" || w.p.Severity == "critical" {
			out.OnExpire = ExpireKeep
		}
	}
	if s.OnExpire != nil {
		out.OnExpire = s.OnExpire.Value
		if s.For == nil {
			c.errorf(s.OnExpire.At, "add for: with a time, or take onExpire out", "onExpire without for: the effect never expires")
		}
		if out.OnExpire == ExpireTerminate {
			c.add(s.OnExpire.At, SeverityWarning, "onExpire: terminate keeps the effect and tells people: no action terminates yet", "write keep, or release")
		}
	}
	if s.Retry != nil {
		out.Retry = &schemas.Retry{Attempts: s.Retry.Attempts.Value}
		if s.Retry.Backoff != nil {
			out.Retry.Backoff = schemas.Duration(s.Retry.Backoff.Value)
		}
	}
	if s.Timeout != nil {
		out.Timeout = schemas.Duration(s.Timeout.Value)
	}
}

// kindFields are the fields of an event that name an entity of a kind.
var kindFields = map[string]string{"container": "container.id", "pod": "k8s.pod.uid"}

// safety checks what must not go wrong silently.
func (c *check) safety(w *walk, s document.Step, spec schemas.Spec) {
	at := s.Do.At
	if spec.DestroysEvidence {
		c.evidence(w, s, at, spec.Name)
	}
	if s.OnExpire != nil && s.OnExpire.Value == ExpireTerminate && !captures(s) {
		c.evidence(w, s, s.OnExpire.At, "onExpire: terminate")
	}
	if spec.Irreversible && (s.Irreversible == nil || !s.Irreversible.Value) {
		c.errorf(at, "add irreversible: true when that is meant", "%s cannot be undone", spec.Name)
	}
	if s.For != nil && spec.Undo == "" {
		c.errorf(s.For.At, "take for out", "%s has no effect that ends, so it cannot be held for a time", spec.Name)
	}
	if field, placed := kindFields[spec.TargetKind]; placed && s.Target == nil && !w.p.gives(field) {
		c.errorf(at, "give it a target, or take another signal", "%s acts on a %s, and %s events name none",
			spec.Name, spec.TargetKind, strings.Join(w.p.lacking(field), " and "))
	}
}

// evidence wants it captured before something destroys it: by a step that
// always runs, or by one that this step needs.
func (c *check) evidence(w *walk, s document.Step, at document.Place, what string) {
	needed := slices.ContainsFunc(s.Needs, func(n document.Text) bool { return slices.Contains(w.perhaps, n.Value) })
	switch {
	case w.captured || needed:
	case len(w.perhaps) > 0:
		c.errorf(at, "let it need that step: needs: ["+w.perhaps[0]+"]", "%s destroys evidence, and %s captures it on a condition alone", what, w.perhaps[0])
	default:
		c.errorf(at, "put evidence.capture before it", "%s destroys evidence, and no step before it captures any", what)
	}
}
