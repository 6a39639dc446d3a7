package scaffold_test

import (
	"errors"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/format"
	"firebreak/services/workshop/scaffold"
	"firebreak/services/workshop/suite"
	"firebreak/services/workshop/testfile"
	"firebreak/services/workshop/trial"
)

func bench() *suite.Bench {
	return &suite.Bench{
		Specs: action.Specs(), Formats: format.Names(),
		Decode: format.ForTests(testfile.Start()), Runner: trial.New(action.Specs()),
	}
}

// passes loads and runs what was written, and wants nothing to be said of it.
func passes(t *testing.T, w scaffold.Wish) {
	t.Helper()
	text, tests, err := scaffold.New(w)
	if err != nil {
		t.Fatal(err)
	}
	b := bench()
	u := b.Load(suite.Pair{
		Source: playbook.Source{Name: w.Name + ".yaml", Data: text},
		Test:   &suite.Test{Name: w.Name + suite.Ending, Data: tests},
	})
	for _, f := range append(u.Broken, u.Findings...) {
		t.Errorf("%s\n%s", f, text)
	}
	results := b.Run(u, nil)
	fired, silent := false, false
	for n, r := range results {
		for _, f := range r.Failures {
			t.Errorf("%s: %s: want %s, got %s\n%s\n%s\n%s", r.Name, f.Message, f.Want, f.Got, strings.Join(f.Why, "\n"), text, tests)
		}
		fired = fired || u.Tests.Cases[n].Fires()
		silent = silent || !u.Tests.Cases[n].Fires()
	}
	if !fired || !silent {
		t.Errorf("fires %v, stays silent %v: want both", fired, silent)
	}
}

func TestEveryArenaAndOperator(t *testing.T) {
	t.Parallel()
	for _, arena := range scaffold.Arenas() {
		for _, operator := range append([]string{""}, scaffold.Operators()...) {
			if operator == "baseline" && arena == "cluster" {
				continue // says that it needs a type: TestWishesThatCannotBeMet
			}
			t.Run(arena+"/"+operator, func(t *testing.T) {
				t.Parallel()
				passes(t, scaffold.Wish{Name: "mine", Arena: arena, Operator: operator})
			})
		}
	}
}

func TestEveryType(t *testing.T) {
	t.Parallel()
	for _, e := range schemas.Catalog {
		if (schemas.Event{Type: e.Type}).Arena() == "system" {
			continue // about ourselves; some name nothing
		}
		t.Run(schemas.ShortType(e.Type), func(t *testing.T) {
			t.Parallel()
			passes(t, scaffold.Wish{Name: "mine", Type: schemas.ShortType(e.Type)})
			passes(t, scaffold.Wish{Name: "mine", Type: schemas.ShortType(e.Type), Operator: "all"})
		})
	}
}

func TestWishesThatCannotBeMet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		wish scaffold.Wish
		want string
	}{
		{scaffold.Wish{Name: "Mine"}, "small letters"},
		{scaffold.Wish{Name: ""}, "small letters"},
		{scaffold.Wish{Name: "a", Arena: "runtme"}, `did you mean "runtime"`},
		{scaffold.Wish{Name: "a", Operator: "cuont"}, `did you mean "count"`},
		{scaffold.Wish{Name: "a", Type: "runtime.process.startd"}, `did you mean "runtime.process.started"`},
		{scaffold.Wish{Name: "a", Operator: "baseline", Type: "host.login.failed"}, "runtime.container.usage"},
		{scaffold.Wish{Name: "a", Operator: "baseline", Arena: "cluster"}, "--type"},
		{scaffold.Wish{Name: "a", Type: "system.tick"}, "name nothing"},
	} {
		_, _, err := scaffold.New(tt.wish)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%+v: %v, want one that says %q", tt.wish, err, tt.want)
		}
	}
}
