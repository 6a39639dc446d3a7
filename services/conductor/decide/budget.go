package decide

import (
	"time"

	"firebreak/schemas"
)

// Budget remembers which targets a playbook has acted on, and when: a fold
// over the `requested` records in mode enforce.
type Budget struct {
	spent map[string]map[string]time.Time // playbook → target → last time
	keep  time.Duration                   // the longest time that any limit looks back
}

// keepAtLeast is how long spending is remembered for playbooks without a
// limit: one may be added to them.
const keepAtLeast = 24 * time.Hour

// NewBudget gives a budget of which nothing is spent.
func NewBudget() *Budget {
	return &Budget{spent: map[string]map[string]time.Time{}, keep: keepAtLeast}
}

// Note that a playbook acts on a target; limit is the playbook's, nil for none.
func (b *Budget) Note(playbook, target string, limit *schemas.Limit, at time.Time) {
	if limit != nil {
		b.keep = max(b.keep, time.Duration(limit.Per))
	}
	targets := b.spent[playbook]
	if targets == nil {
		targets = map[string]time.Time{}
		b.spent[playbook] = targets
	}
	if at.After(targets[target]) {
		targets[target] = at
	}
}

// Forget drops what no limit looks back to any more.
func (b *Budget) Forget(now time.Time) {
	for playbook, targets := range b.spent {
		for id, at := range targets {
			if now.Sub(at) > b.keep {
				delete(targets, id)
			}
		}
		if len(targets) == 0 {
			delete(b.spent, playbook)
		}
	}
}

// Used says on how many targets a playbook has acted within a time, and
// whether this one is among them.
func (b *Budget) Used(playbook, target string, now time.Time, per time.Duration) (used int, mine bool) {
	for id, at := range b.spent[playbook] {
		switch age := now.Sub(at); {
		case age > b.keep:
			delete(b.spent[playbook], id)
		case age < per:
			used++
			mine = mine || id == target
		}
	}
	return used, mine
}
