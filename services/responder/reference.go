package responder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"firebreak/schemas"
)

// Reference renders the reference of actions in Markdown. It is generated from
// their Specs, so that it cannot say anything else than lint and the responder.
func Reference(specs []schemas.Spec) []byte {
	specs = slices.Clone(specs)
	slices.SortFunc(specs, func(a, b schemas.Spec) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	b.WriteString("# Actions\n\nGenerated from the Spec of each action (`make generate`); do not edit.\n\n")
	b.WriteString("| action | acts on | at | undo | verified |\n|---|---|---|---|---|\n")
	for _, s := range specs {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", s.Name, anchor(s.Name), s.TargetKind, s.Place, yes(s.Undo), yes(s.Verify))
	}
	for _, s := range specs {
		describe(&b, s)
	}
	return b.Bytes()
}

func describe(b *bytes.Buffer, s schemas.Spec) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", s.Name, strings.TrimSuffix(cell(s.Summary), "."))
	fmt.Fprintf(b, "- **acts on**: %s\n- **carried out at**: %s\n", s.TargetKind, s.Place)
	fmt.Fprintf(b, "- **undo**: %s\n- **verification**: %s\n", or(s.Undo, "none"), or(s.Verify, "none; `applied` is final"))
	if s.Irreversible {
		b.WriteString("- **irreversible**: a playbook has to say so at the step\n")
	}
	if s.DestroysEvidence {
		b.WriteString("- **destroys evidence**: capture it before\n")
	}
	for _, r := range s.Rights {
		fmt.Fprintf(b, "- **needs on the host**: %s\n", cell(r))
	}
	for _, r := range s.Rules {
		fmt.Fprintf(b, "- **needs of Kubernetes**: %s on %s (API group %s)\n",
			strings.Join(r.Verbs, ", "), strings.Join(r.Resources, ", "), or(strings.Join(r.APIGroups, ", "), "core"))
	}
	if len(s.Attack) > 0 {
		fmt.Fprintf(b, "- **ATT&CK**: %s\n", strings.Join(s.Attack, ", "))
	}
	parameters(b, s.Params)
}

// property is what the reference shows of a JSON Schema.
type property struct {
	Type        any                 `json:"type"`
	Description string              `json:"description"`
	Enum        []any               `json:"enum"`
	Default     any                 `json:"default"`
	Properties  map[string]property `json:"properties"`
	Required    []string            `json:"required"`
}

func parameters(b *bytes.Buffer, schema json.RawMessage) {
	var p property
	if err := json.Unmarshal(schema, &p); err != nil || len(p.Properties) == 0 {
		b.WriteString("\nNo parameters.\n") // the suite refuses a Spec whose schema is no JSON
		return
	}
	b.WriteString("\n| parameter | type | required | default | meaning |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		q := p.Properties[name]
		need := ""
		if slices.Contains(p.Required, name) {
			need = "yes"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", name, kind(q), need, value(q.Default), cell(q.Description))
	}
}

func kind(p property) string {
	if len(p.Enum) == 0 {
		if p.Type == nil {
			return "any"
		}
		return fmt.Sprint(p.Type)
	}
	out := make([]string, 0, len(p.Enum))
	for _, v := range p.Enum {
		out = append(out, value(v))
	}
	return strings.Join(out, ", ")
}

func value(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("`%v`", v)
}

func yes(s string) string {
	if s == "" {
		return "no"
	}
	return "yes"
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return cell(s)
}

// cell keeps a text on one line of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

func anchor(name string) string { return strings.ReplaceAll(name, ".", "") }
