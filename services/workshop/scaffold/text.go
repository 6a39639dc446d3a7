package scaffold

import (
	"fmt"
	"strings"
)

// text writes the playbook.
func (p *plan) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("apiVersion: firebreak/v1")
	line("kind: Playbook")
	line("metadata:")
	line("  name: %s", p.name)
	line("  summary: What has happened when this matches, in one sentence")
	line("  arena: %s", p.arena)
	line("  severity: medium        # low | medium | high | critical")
	line("on:")
	signal(line, "first", p.a)
	if p.two {
		signal(line, "second", p.b)
	}
	line("match:")
	if p.operands != "" {
		line("  %s", p.operands)
	}
	line("  by: %s", p.by)
	if p.within > 0 {
		line("  within: %dm", int(p.within.Minutes()))
	}
	line("once: 1h                  # one incident for each %s in that time", p.by)
	line("guard:")
	line("  mode: observe           # say what would be done; enforce when you trust it")
	line("  limit: {targets: 5, per: 10m}")
	line("then:")
	if p.acts {
		line("  - do: container.pause")
		line("    for: 4h")
		line("  - do: evidence.capture")
	}
	line("  - do: notify.log")
	line("    with:")
	line("      text: \"%s: ${%s}\"", p.name, key(p.by))
	return b.String()
}

func signal(line func(string, ...any), name string, s sample) {
	line("  %s:", name)
	line("    type: %s", s.typ)
	line("    when: >-")
	line("      %s", s.when)
}

// key speaks of the group, whichever signal brought it.
func key(by string) string {
	return fmt.Sprintf("incident.key['%s']", by)
}
