package playbook

import (
	"slices"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook/document"
)

// Modes of a guard, the most cautious first.
const (
	ModeObserve = "observe" // stop after the plan
	ModeApprove = "approve" // ask somebody
	ModeEnforce = "enforce"
)

var modes = []string{ModeObserve, ModeApprove, ModeEnforce}

// staleAfter is how old a match may be to be enforced unasked, when the
// playbook does not say.
const staleAfter = 15 * time.Minute

// Cautious gives the more cautious of two modes; a mode that is none counts as
// the most cautious, but "" as no limit.
func Cautious(a, b string) string {
	if a == "" {
		return b
	}
	if b == "" {
		return a
	}
	return modes[max(0, min(slices.Index(modes, a), slices.Index(modes, b)))]
}

func (c *check) guard(p *Playbook, limit string) {
	p.Guard = schemas.Guard{Mode: ModeObserve, StaleAfter: schemas.Duration(staleAfter)}
	if limit != "" && !slices.Contains(modes, limit) {
		c.errorf(document.Place{}, "use observe, approve or enforce", "the source's mode %q is none", limit)
	}
	if g := c.doc.Guard; g != nil {
		c.writtenGuard(p, g)
	}
	p.Guard.Mode = Cautious(p.Guard.Mode, limit)
}

func (c *check) writtenGuard(p *Playbook, g *document.Guard) {
	if g.Mode != nil {
		p.Guard.Mode = g.Mode.Value
	}
	if g.StaleAfter != nil {
		p.Guard.StaleAfter = schemas.Duration(g.StaleAfter.Value)
	}
	if g.Limit != nil {
		p.Guard.Limit = &schemas.Limit{Targets: g.Limit.Targets.Value, Per: schemas.Duration(g.Limit.Per.Value)}
		if g.Limit.Share != nil {
			p.Guard.Limit.Share = g.Limit.Share.Value
			c.add(g.Limit.Share.At, SeverityWarning, "share is not looked at yet: targets and per alone bound what this playbook does",
				"choose targets so that they suffice")
		}
	}
	if g.Except == nil || g.Except.Value == "" {
		return
	}
	p.Guard.Except = g.Except.Value
	if types := p.completing(p.Match); len(types) > 0 {
		c.condition(*g.Except, types)
	}
}
