package playbook

import (
	"fmt"
	"slices"
	"strings"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
	"firebreak/services/playbook/expr"
)

// wanted is what an expression of `target` gives for a kind of target.
type wanted struct{ block, id, lookup string }

var targetKinds = map[string]wanted{
	"container": {block: "container", id: "id", lookup: "containers"},
	"pod":       {block: "k8s.pod", id: "uid", lookup: "pods"},
}

// target checks what `target` gives as far as its text and the types of the
// fields tell: what is no entity of the action's kind fails when it is needed.
func (c *check) target(w *walk, text document.Text, p *expr.Program, spec schemas.Spec) {
	want, placed := targetKinds[spec.TargetKind]
	if !placed {
		return
	}
	for _, y := range p.Yields() {
		at := text.Locate(y.Line, y.Column)
		if y.Depth > 1 {
			c.errorf(at, "write one list: put lists together with +", "a list in a list: %s wants one %s or a list of them", spec.Name, spec.TargetKind)
			continue
		}
		if y.Kind == expr.YieldLiteral {
			c.add(at, SeverityWarning, fmt.Sprintf("%s %q is written out: it is another one after a restart", spec.TargetKind, y.Text),
				"take it from the event, or look it up with inventory."+want.lookup+"(…)")
			continue
		}
		if wrong := want.wrong(y); wrong != "" {
			c.errorf(at, want.fix(w, y), "%s acts on a %s, and %s", spec.Name, spec.TargetKind, wrong)
		}
	}
}

// wrong says what a value is that is no entity of the kind.
func (k wanted) wrong(y expr.Yield) string {
	switch y.Kind {
	case expr.YieldLookup:
		if y.Text != k.lookup {
			return "inventory." + y.Text + " gives " + y.Text
		}
	case expr.YieldObject, expr.YieldMap:
		name := k.block[strings.LastIndexByte(k.block, '.')+1:]
		if !strings.HasSuffix(y.Text, "."+name) || !slices.Contains(y.Fields, k.id) {
			return y.Text + " is an object that names none"
		}
	case expr.YieldValue:
		if y.Text == "" {
			return "this gives a number or a truth value"
		}
		return y.Text + " is a number or a truth value"
	}
	return ""
}

// fix names the block of the same signal, where its event has one.
func (k wanted) fix(w *walk, y expr.Yield) string {
	look := "inventory." + k.lookup + "(…)"
	if y.Kind == expr.YieldLookup {
		return "write " + look
	}
	for _, n := range w.p.tookPart() {
		s := w.p.Signals[n]
		begins := strings.HasPrefix(y.Text+".", "signals."+s.Name+".")
		if begins && len(lackingOf(s.Types, k.block+"."+k.id)) == 0 {
			return "write signals." + s.Name + "." + k.block
		}
	}
	return "look it up with " + look
}
