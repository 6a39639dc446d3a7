package scaffold

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/playbook/near"
	"firebreak/services/workshop/testfile"
)

// Wish is what an author says of the playbook to come; only the name is needed.
type Wish struct {
	Name     string
	Arena    string // by default that of Type, else runtime
	Type     string // of the event to wait for, as playbooks write it
	Operator string // "" for a single event
}

// Arenas and Operators are what a wish can name.
func Arenas() []string { return []string{"registry", "runtime", "host", "cluster"} }

// Operators lists the operators of `match`.
func Operators() []string {
	return []string{"any", "all", "sequence", "count", "distinct", "absent", "baseline"}
}

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// New gives the text of a playbook and of its tests.
func New(w Wish) (playbook, tests []byte, err error) {
	p, err := planOf(w)
	if err != nil {
		return nil, nil, err
	}
	tests, err = testfile.Draft{
		Head:     "Run it with: firebreak playbook test " + p.name + ".yaml",
		Playbook: p.name, Cases: p.cases,
	}.Write()
	return []byte(p.text()), tests, err
}

// plan is a playbook in parts.
type plan struct {
	name, arena string
	by          string
	a, b        sample // b is the second signal, where the operator wants one
	two         bool
	operands    string // the line of `match` with the operator; "" for a single event
	within      time.Duration
	acts        bool // on a container
	cases       []testfile.DraftCase
}

func planOf(w Wish) (*plan, error) {
	if !nameForm.MatchString(w.Name) || len(w.Name) > 63 {
		return nil, fmt.Errorf("name %q: %w: small letters, digits and dashes, at most 63", w.Name, schemas.ErrInvalid)
	}
	for _, c := range []struct {
		what, value string
		of          []string
	}{{"arena", w.Arena, Arenas()}, {"operator", w.Operator, Operators()}} {
		if c.value != "" && !slices.Contains(c.of, c.value) {
			return nil, fmt.Errorf("%s %q: %w: known are %s%s", c.what, c.value, schemas.ErrInvalid, strings.Join(c.of, ", "), near.Hint(c.value, c.of))
		}
	}
	p := &plan{name: w.Name}
	second, err := p.types(&w)
	if err != nil {
		return nil, err
	}
	p.two = slices.Contains([]string{"any", "all", "sequence", "absent"}, w.Operator)
	types := []string{w.Type}
	if p.two {
		types = append(types, second)
	}
	if p.by = first(preferred(w.Type), "", types...); p.by == "" {
		return nil, fmt.Errorf("type %q: %w: its events name nothing by which they could be grouped with others; choose another", w.Type, schemas.ErrInvalid)
	}
	p.a, p.b = sampleOf(w.Type, p.by), sampleOf(second, p.by)
	if p.two {
		put(p.b.fire, p.by, look(p.a.fire, p.by)) // both are of one group
	}
	if p.acts = p.by == "container.id" && first([]string{"host.name"}, "", types...) != ""; p.acts {
		p.a.placed()
		p.b.placed()
	}
	if err := p.operator(w.Operator); err != nil {
		return nil, err
	}
	return p, nil
}

// types settles the arena and the types of both signals.
func (p *plan) types(w *Wish) (second string, err error) {
	if w.Type != "" {
		full, known := schemas.FullType(w.Type)
		if !known {
			var all []string
			for _, e := range schemas.Catalog {
				all = append(all, schemas.ShortType(e.Type))
			}
			return "", fmt.Errorf("type %q: %w: no event has it%s", w.Type, schemas.ErrInvalid, near.Hint(w.Type, all))
		}
		if arena := (schemas.Event{Type: full}).Arena(); w.Arena == "" && slices.Contains(Arenas(), arena) {
			w.Arena = arena
		}
	}
	if w.Arena == "" {
		w.Arena = "runtime"
	}
	p.arena = w.Arena
	begin, second := beginnings(w.Arena)
	switch {
	case w.Type == "" && w.Operator == "baseline" && w.Arena == "runtime":
		w.Type = "runtime.container.usage"
	case w.Type == "" && w.Operator == "baseline":
		w.Type = map[string]string{"registry": "registry.image.scanned", "host": "host.file.changed"}[w.Arena]
		if w.Type == "" {
			return "", fmt.Errorf("operator baseline: %w: no event of the arena %s holds a measure by itself; name one with --type", schemas.ErrInvalid, w.Arena)
		}
	case w.Type == "":
		w.Type = begin
	}
	if second == w.Type || first(groups, "", w.Type, second) == "" {
		second = begin
	}
	return second, nil
}
