package engine

// Stats counts what happened to the events of a playbook.
type Stats struct {
	Matched    uint64 // conditions that held
	Errors     uint64 // conditions and fields that could not be evaluated: no match
	Suppressed uint64 // matches left alone because a person asked for it
	Late       uint64 // events kept out of windows, and matches from before the window of their group
	Duplicates uint64 // events that had been delivered before
	Unknown    uint64 // absences that could not be told from a lost source
	Overflowed uint64 // groups forgotten so that others could be kept
	Unrecalled uint64 // events that took part and that the log no longer has
	Windows    int    // open now
	LastError  string
}

// tallies count by playbook. An event that nobody can read counts for every
// playbook that waits for its type: it is counted by its type first, so that
// a flood of them costs no more with many playbooks.
type tallies struct {
	stats   map[string]*tally   // by the playbook's name
	refused map[string]*refusal // by the event's type
	errors  *uint64             // so far: which of two came last
}

// tally is what is counted of one playbook.
type tally struct {
	Stats
	last   uint64 // the number of LastError
	errors *uint64
}

// refusal counts events of one type that its playbooks do not know of yet.
type refusal struct {
	count uint64
	last  uint64 // the number of why
	why   error
}

func newTallies() tallies {
	return tallies{stats: map[string]*tally{}, refused: map[string]*refusal{}, errors: new(uint64)}
}

func (t *tallies) statsOf(playbook string) *tally {
	s := t.stats[playbook]
	if s == nil {
		s = &tally{errors: t.errors}
		t.stats[playbook] = s
	}
	return s
}

func (t *tally) fail(err error) {
	*t.errors++
	t.Errors++
	t.LastError, t.last = err.Error(), *t.errors
}

// failType counts an event that the playbooks of its type cannot use.
func (t *tallies) failType(typ string, why error) {
	r := t.refused[typ]
	if r == nil {
		r = &refusal{}
		t.refused[typ] = r
	}
	*t.errors++
	r.count, r.last, r.why = r.count+1, *t.errors, why
}

// settle tells the playbooks of the events that were refused.
func (e *Engine) settle() {
	for typ, r := range e.refused {
		why := r.why.Error()
		e.eachBook(e.types[typ], func(rule int) {
			t := e.leaf[rule].book.stats
			t.Errors += r.count
			if r.last > t.last {
				t.LastError, t.last = why, r.last
			}
		})
	}
	clear(e.refused)
}

// Stats gives a copy of the counts, by playbook.
func (e *Engine) Stats() map[string]Stats {
	e.settle()
	out := make(map[string]Stats, len(e.stats))
	for name, s := range e.stats {
		out[name] = s.Stats
	}
	for _, n := range e.nodes {
		s := out[n.book.Name]
		s.Windows += e.store.Count(n.index)
		out[n.book.Name] = s
	}
	return out
}
