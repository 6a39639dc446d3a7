package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"firebreak/services/responder/action"
)

func actionCommand(sh *shell) *cobra.Command {
	return parent("action", "List what playbooks can do", actionList(sh))
}

func actionList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the actions with target, parameters, undo, verification and rights", Args: noArgs,
		Example: "  firebreak action list\n  firebreak action list --json | jq .name",
		RunE: func(*cobra.Command, []string) error {
			for i, s := range action.Specs() {
				if sh.json {
					if err := sh.line(s); err != nil {
						return err
					}
					continue
				}
				if i > 0 {
					sh.say("")
				}
				sh.say("%s  %s", s.Name, s.Summary)
				for _, l := range [][2]string{
					{"target", s.TargetKind + ", carried out at: " + s.Place},
					{"with", parameters(s.Params)},
					{"undo", orNone(s.Undo)},
					{"verify", orNone(s.Verify)},
					{"rights", orNone(strings.Join(s.Rights, "; "))},
					{"ATT&CK", orNone(strings.Join(s.Attack, ", "))},
				} {
					sh.say("  %-7s %s", l[0], l[1])
				}
			}
			return nil
		},
	}
}

// parameters names the members of a JSON Schema.
func parameters(raw json.RawMessage) string {
	var schema struct {
		Properties map[string]struct {
			Type        any    `json:"type"`
			Enum        []any  `json:"enum"`
			Description string `json:"description"`
		} `json:"properties"`
	}
	if json.Unmarshal(raw, &schema) != nil || len(schema.Properties) == 0 {
		return "none"
	}
	var parts []string
	for _, name := range sortedKeys(schema.Properties) {
		p := schema.Properties[name]
		what := fmt.Sprint(p.Type)
		if len(p.Enum) > 0 {
			what = strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Enum), "[]"), " ", " | ")
		}
		parts = append(parts, fmt.Sprintf("%s (%s): %s", name, what, p.Description))
	}
	return strings.Join(parts, "; ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
