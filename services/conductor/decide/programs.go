package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"firebreak/services/playbook"
	"firebreak/services/playbook/expr"
)

// maxPrograms bounds what is kept compiled; beyond it all is compiled anew.
const maxPrograms = 4096

// programs keeps compiled expressions: an incident must not wait for a compiler.
type programs struct {
	mu   sync.Mutex
	kept map[string]compiled
}

type compiled struct {
	program *expr.Program
	err     error
}

func newPrograms() *programs { return &programs{kept: map[string]compiled{}} }

// condition compiles a guard for events of any type: the one that triggers
// need not have every field that a playbook of several types speaks of.
func (p *programs) condition(text string) (*expr.Program, error) {
	return p.get("condition\n"+text, func() (*expr.Program, error) { return expr.ConditionOn(text, nil) })
}

func (p *programs) step(text string, result expr.Result, types map[string][]string) (*expr.Program, error) {
	var key strings.Builder
	fmt.Fprintf(&key, "step\n%d\n", result)
	for _, name := range slices.Sorted(maps.Keys(types)) {
		key.WriteString(name + "=" + strings.Join(types[name], "|") + "\n")
	}
	key.WriteString(text)
	return p.get(key.String(), func() (*expr.Program, error) {
		return expr.StepIn(text, result, expr.Scope{Signals: types, Lookups: true})
	})
}

func (p *programs) get(key string, compile func() (*expr.Program, error)) (*expr.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.kept[key]; ok {
		return c.program, c.err
	}
	if len(p.kept) >= maxPrograms {
		clear(p.kept)
	}
	program, err := compile()
	p.kept[key] = compiled{program, err}
	return program, err
}

// Warm compiles the guards of a set before its first incident needs them.
func (d *Decider) Warm(set *playbook.Set) {
	if set == nil {
		return
	}
	for _, p := range set.Playbooks {
		if p.Guard.Except == "" {
			continue
		}
		// An error is kept too, and told when the guard is asked.
		if _, err := d.programs.condition(p.Guard.Except); err != nil {
			continue
		}
	}
}
