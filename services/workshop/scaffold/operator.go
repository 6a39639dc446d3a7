package scaffold

import (
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/workshop/testfile"
)

// operator settles `match` and the tests that show what it does.
func (p *plan) operator(op string) error {
	a, b := p.event(p.a, 0), p.event(p.b, 30*time.Second)
	switch op {
	case "":
		p.fires("it fires", a)
	case "any":
		p.operands = "any: [first, second]"
		p.fires("one of the two is enough", a)
		p.fires("so is the other", b)
	case "all":
		p.operands, p.within = "all: [first, second]", 5*time.Minute
		p.fires("both within the time", a, b)
		p.silent("one of them alone", a)
	case "sequence":
		p.operands, p.within = "sequence: [first, second]", 5*time.Minute
		p.fires("one after the other", a, b)
		p.silent("the other way round", p.event(p.b, 0), p.event(p.a, 30*time.Second))
	case "count":
		p.operands, p.within = "count: {of: first, atLeast: 5}", 5*time.Minute
		p.fires("five within the time", repeated(a, 5))
		p.silent("four are too few", repeated(a, 4))
	case "absent":
		p.operands, p.within = "absent: {after: first, expect: second}", 10*time.Minute
		p.fires("the second never comes", a)
		p.silent("the second comes in time", a, b)
		return nil // the calm event would be one more thing that does not come
	case "distinct":
		return p.distinct()
	case "baseline":
		return p.baseline()
	}
	calm := p.event(p.a, 0)
	calm.Data = p.a.calm
	p.silent("something alike that is harmless", calm)
	return nil
}

func (p *plan) distinct() error {
	field := first(several, p.by, p.a.typ)
	if field == "" {
		return fmt.Errorf("type %q: %w: its events have no second field of which values could be counted; choose another", p.a.typ, schemas.ErrInvalid)
	}
	p.a.when = "has(" + p.by + ") && has(" + field + ")"
	p.operands = "distinct: {of: first, field: " + field + ", atLeast: 5}"
	p.within = 5 * time.Minute
	many := p.event(p.a, 0)
	many.Data = with(p.a.fire, field, "value-${n}")
	same := p.event(p.a, 0)
	same.Data = with(p.a.fire, field, "value-1")
	p.fires("five different values within the time", repeated(many, 5))
	p.silent("one value five times", repeated(same, 5))
	return nil
}

func (p *plan) baseline() error {
	field := first(measures, "", p.a.typ)
	if field == "" {
		return fmt.Errorf("type %q: %w: its events hold no measure that could be far above what it was; these do: %s",
			p.a.typ, schemas.ErrInvalid, strings.Join(measured(), ", "))
	}
	p.a.when = "has(" + p.by + ") && has(" + field + ")"
	p.operands = "baseline: {of: first, field: " + field + ", factor: 5, over: 1h}"
	at := func(t time.Duration, v any) testfile.DraftEvent {
		e := p.event(p.a, t)
		e.Data = with(p.a.fire, field, v)
		return e
	}
	usual := at(0, 2)
	usual.Times, usual.Every = 12, time.Minute
	p.fires("far above what it was", usual, at(12*time.Minute, 40))
	p.silent("a little above what it was", usual, at(12*time.Minute, 3))
	return nil
}

// measured are the types with a measure.
func measured() []string {
	var out []string
	for _, e := range schemas.Catalog {
		if short := schemas.ShortType(e.Type); first(measures, "", short) != "" {
			out = append(out, short)
		}
	}
	return out
}

func (p *plan) event(s sample, at time.Duration) testfile.DraftEvent {
	return testfile.DraftEvent{At: at, Type: s.typ, Data: s.fire}
}

func repeated(e testfile.DraftEvent, times int) testfile.DraftEvent {
	e.Times, e.Every = times, 5*time.Second
	return e
}

func (p *plan) fires(name string, events ...testfile.DraftEvent) {
	steps := []any{"notify.log"}
	if p.acts {
		steps = []any{"container.pause", "evidence.capture", "notify.log"}
	}
	p.cases = append(p.cases, testfile.DraftCase{
		Name: name, Events: events,
		Expect: []testfile.DraftIncident{{By: look(p.a.fire, p.by), Steps: steps}},
	})
}

func (p *plan) silent(name string, events ...testfile.DraftEvent) {
	p.cases = append(p.cases, testfile.DraftCase{Name: name, Events: events})
}
