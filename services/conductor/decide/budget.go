package decide

import "time"

// Budget remembers which targets a playbook has acted on, and when: a fold
// over the `requested` records in mode enforce.
type Budget struct {
	spent map[string]map[string]time.Time // playbook → target → last time
	keep  time.Duration                   // the longest time that was asked about
}

// NewBudget gives a budget of which nothing is spent.
func NewBudget() *Budget {
	return &Budget{spent: map[string]map[string]time.Time{}, keep: time.Hour}
}

// Note that a playbook acts on a target.
func (b *Budget) Note(playbook, target string, at time.Time) {
	targets := b.spent[playbook]
	if targets == nil {
		targets = map[string]time.Time{}
		b.spent[playbook] = targets
	}
	if at.After(targets[target]) {
		targets[target] = at
	}
}

// Used says on how many targets a playbook has acted within a time, and
// whether this one is among them.
func (b *Budget) Used(playbook, target string, now time.Time, per time.Duration) (used int, mine bool) {
	b.keep = max(b.keep, per)
	for id, at := range b.spent[playbook] {
		age := now.Sub(at)
		switch {
		case age > b.keep:
			delete(b.spent[playbook], id)
		case age < per:
			used++
			mine = mine || id == target
		}
	}
	return used, mine
}
