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

func (d *decoder) limit(n *yaml.Node, name, want string) {
	value, err := strconv.Atoi(n.Value)
	bound, wrong := strconv.Atoi(want)
	switch {
	case err != nil || wrong != nil: // said elsewhere
	case name == "minimum" && value < bound:
		d.problem(n, fmt.Sprintf("%d is less than %d", value, bound), "")
	case name == "maximum" && value > bound:
		d.problem(n, fmt.Sprintf("%d is more than %d", value, bound), "")
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
