package document

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"firebreak/services/playbook/near"

	"go.yaml.in/yaml/v3"
)

// rules checks a value against the jsonschema tag of its field, so that the
// schema that editors use and this reader cannot differ.
func (d *decoder) rules(n *yaml.Node, f reflect.StructField) {
	if n.Kind == yaml.SequenceNode {
		d.length(n, f)
		return
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return
	}
	var enum []string
	for _, rule := range strings.Split(f.Tag.Get("jsonschema"), ",") {
		name, want, _ := strings.Cut(rule, "=")
		switch name {
		case "enum":
			enum = append(enum, want)
		case "pattern":
			if matched, err := regexp.MatchString(want, n.Value); err != nil || !matched {
				d.problem(n, fmt.Sprintf("%q does not have the form %s", shorten(n.Value), want), "")
			}
		case "maxLength":
			if most, err := strconv.Atoi(want); err != nil || len([]rune(n.Value)) > most {
				d.problem(n, fmt.Sprintf("%q is longer than %s characters", shorten(n.Value), want), "")
			}
		case "minimum", "maximum":
			d.limit(n, name, want)
		}
	}
	if enum != nil {
		d.oneOf(n, enum)
	}
}

// length checks how many entries a list has; an empty one was reported.
func (d *decoder) length(n *yaml.Node, f reflect.StructField) {
	for _, rule := range strings.Split(f.Tag.Get("jsonschema"), ",") {
		name, want, _ := strings.Cut(rule, "=")
		bound, err := strconv.Atoi(want)
		switch {
		case err != nil || len(n.Content) == 0:
		case name == "minItems" && len(n.Content) < bound:
			d.problem(n, fmt.Sprintf("%d entry, want at least %d", len(n.Content), bound), "")
		case name == "maxItems" && len(n.Content) > bound:
			d.problem(n, fmt.Sprintf("%d entries, want at most %d", len(n.Content), bound), "")
		}
	}
}

func (d *decoder) limit(n *yaml.Node, name, want string) {
	value, err := strconv.ParseFloat(n.Value, 64)
	bound, wrong := strconv.ParseFloat(want, 64)
	switch {
	case err != nil || wrong != nil: // said elsewhere
	case name == "minimum" && value < bound:
		d.problem(n, fmt.Sprintf("%s is less than %s", n.Value, want), "")
	case name == "maximum" && value > bound:
		d.problem(n, fmt.Sprintf("%s is more than %s", n.Value, want), "")
	}
}

func (d *decoder) oneOf(n *yaml.Node, enum []string) {
	for _, e := range enum {
		if n.Value == e {
			return
		}
	}
	fix := ""
	if word := near.Nearest(n.Value, enum); word != "" && len(enum) > 1 {
		fix = "did you mean " + word + "?"
	}
	d.problem(n, fmt.Sprintf("%q is not %s", shorten(n.Value), strings.Join(enum, ", ")), fix)
}
