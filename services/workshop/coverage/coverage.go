// Package coverage says which techniques of ATT&CK the playbooks of a set
// answer to, and which none of them does.
//
// It judges no playbook: one that names a technique counts. It is pure. Start
// with [Of].
package coverage

import (
	"slices"
	"strings"

	"firebreak/services/playbook"
)

// Technique is a technique with the playbooks that name it.
type Technique struct {
	ID        string   `json:"technique"`
	Name      string   `json:"name"`
	Tactics   []string `json:"tactics"`
	Playbooks []string `json:"playbooks"` // by their names; none: a gap
	// Below are the playbooks of its sub-techniques, which cover it in part.
	Below []string `json:"below,omitempty"`
}

// Gap says that no playbook answers to it, not even in part.
func (t Technique) Gap() bool { return len(t.Playbooks) == 0 && len(t.Below) == 0 }

// Tactic is the techniques that come first under a tactic.
type Tactic struct {
	Name       string
	Techniques []Technique
}

// Covered counts those that are no gaps.
func (t Tactic) Covered() int {
	n := 0
	for _, one := range t.Techniques {
		if !one.Gap() {
			n++
		}
	}
	return n
}

// Of gives every known technique, in the order of the tactics.
func Of(books []*playbook.Playbook) []Technique {
	named := map[string][]string{}
	for _, p := range books {
		for _, id := range p.Attack {
			if !slices.Contains(named[id], p.Name) {
				named[id] = append(named[id], p.Name)
			}
		}
	}
	var out []Technique
	for _, t := range playbook.Techniques() {
		one := Technique{ID: t.ID, Name: t.Name, Tactics: t.Tactics, Playbooks: []string{}}
		one.Playbooks = append(one.Playbooks, named[t.ID]...)
		for id, names := range named {
			if strings.HasPrefix(id, t.ID+".") {
				one.Below = append(one.Below, names...)
			}
		}
		slices.Sort(one.Playbooks)
		slices.Sort(one.Below)
		one.Below = slices.Compact(one.Below)
		out = append(out, one)
	}
	return out
}

// ByTactic groups techniques by the first of their tactics.
func ByTactic(all []Technique) []Tactic {
	var out []Tactic
	for _, t := range all {
		name := "other"
		if len(t.Tactics) > 0 {
			name = t.Tactics[0]
		}
		n := slices.IndexFunc(out, func(o Tactic) bool { return o.Name == name })
		if n < 0 {
			n = len(out)
			out = append(out, Tactic{Name: name})
		}
		out[n].Techniques = append(out[n].Techniques, t)
	}
	return out
}
