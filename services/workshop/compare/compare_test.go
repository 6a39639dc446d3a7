package compare_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"firebreak/schemas"
	"firebreak/services/workshop/compare"
	"firebreak/services/workshop/replay"
)

// incident is one of a group, opened by an event at a second.
func incident(playbook, group string, second int, change func(*replay.Incident)) replay.Incident {
	in := replay.Incident{
		ID: fmt.Sprintf("%s/%s/%d", playbook, group, second), Playbook: playbook, Group: group, Severity: "high", Mode: "enforce",
		At: time.Unix(int64(second), 0).UTC(), Trigger: schemas.EventRef{ID: fmt.Sprint("e", second)},
		Steps: []replay.Step{{ID: "container.pause", Do: "container.pause", Targets: []replay.Target{{Kind: "container", ID: "c1", Would: replay.Act, With: []byte(`{"a":1}`)}}}},
	}
	if change != nil {
		change(&in)
	}
	return in
}

func told(all []compare.Difference) []string {
	var out []string
	for _, d := range all {
		s := d.Difference + " " + d.Playbook + " " + d.Group
		for _, w := range d.What {
			s += "; " + w
		}
		out = append(out, s)
	}
	return out
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	both := func(change func(*replay.Incident)) (replay.Incident, replay.Incident) {
		return incident("p", "g", 1, nil), incident("p", "g", 1, change)
	}
	for _, tt := range []struct {
		name   string
		change func(*replay.Incident)
		want   []string
	}{
		{"none", nil, nil},
		{"the mode", func(in *replay.Incident) { in.Mode = "observe" }, []string{"changed p g; mode: enforce → observe"}},
		{"the severity", func(in *replay.Incident) { in.Severity = "low" }, []string{"changed p g; severity: high → low"}},
		{"no steps", func(in *replay.Incident) { in.Steps = nil }, []string{"changed p g; steps: container.pause → none"}},
		{"another step", func(in *replay.Incident) { in.Steps[0].ID = "first" }, []string{"changed p g; steps: container.pause → first (container.pause)"}},
		{"another target", func(in *replay.Incident) { in.Steps[0].Targets[0].ID = "c2" }, []string{"changed p g; container.pause: act c1 → act c2"}},
		{"refused", func(in *replay.Incident) {
			in.Steps[0].Targets[0].Would, in.Steps[0].Targets[0].Cause = replay.Refuse, "guard"
		}, []string{"changed p g; container.pause: act c1 → refuse c1 (guard)"}},
		{"parameters", func(in *replay.Incident) { in.Steps[0].Targets[0].With = []byte(`{"a":2}`) }, []string{"changed p g; container.pause: with other parameters"}},
	} {
		var c compare.Comparison
		a, b := both(tt.change)
		if err := c.First(a); err != nil {
			t.Fatal(err)
		}
		if err := c.Second(b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, told(c.Differences())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestGroups: what only one opens, and what each opens at another event.
func TestGroups(t *testing.T) {
	t.Parallel()
	var c compare.Comparison
	tell := func(to func(replay.Incident) error, in replay.Incident) {
		if err := to(in); err != nil {
			t.Fatal(err)
		}
		c.Next()
	}
	tell(c.First, incident("b", "same", 1, nil)) // told by the second later
	tell(c.First, incident("b", "x", 2, nil))
	tell(c.First, incident("b", "x", 9, nil))
	tell(c.Second, incident("b", "x", 3, nil))
	tell(c.Second, incident("b", "same", 1, nil))
	tell(c.First, incident("a", "", 4, nil))
	tell(c.Second, incident("a", "", 5, nil))
	tell(c.Second, incident("c", "y", 5, nil))
	want := []string{
		"first a ", "second a ",
		"changed b x; opened at: 1970-01-01T00:00:02Z → 1970-01-01T00:00:03Z", "first b x",
		"second c y",
	}
	if diff := cmp.Diff(want, told(c.Differences())); diff != "" || c.Same() != 1 || c.Untold() != 0 {
		t.Errorf("same %d (-want +got):\n%s", c.Same(), diff)
	}
}

// TestSameIsNoDifference: whatever the order, what both open is no difference,
// and what one opens alone is told once.
func TestSameIsNoDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c compare.Comparison
		all := rapid.SliceOfNDistinct(rapid.IntRange(0, 99), 1, 20, rapid.ID).Draw(t, "incidents")
		alone := 0
		first, second := slices.Clone(all), []int{}
		for _, n := range all {
			if rapid.Bool().Draw(t, "both") {
				second = append(second, n)
			} else {
				alone++
			}
		}
		second = rapid.Permutation(second).Draw(t, "order")
		for len(first)+len(second) > 0 {
			if to := &first; len(first) > 0 && (len(second) == 0 || rapid.Bool().Draw(t, "first")) {
				err := c.First(incident("p", fmt.Sprint((*to)[0]), (*to)[0], nil))
				if first = first[1:]; err != nil {
					t.Fatal(err)
				}
			} else {
				err := c.Second(incident("p", fmt.Sprint(second[0]), second[0], nil))
				if second = second[1:]; err != nil {
					t.Fatal(err)
				}
			}
			if rapid.Bool().Draw(t, "next") {
				c.Next()
			}
		}
		if got := c.Differences(); len(got) != alone || int(c.Same()) != len(all)-alone {
			t.Errorf("%d alone, %d same of %d: %v", alone, c.Same(), len(all), told(got))
		}
	})
}

// TestTooManyDifferences are counted.
func TestTooManyDifferences(t *testing.T) {
	t.Parallel()
	var c compare.Comparison
	for n := range 100_005 {
		if err := c.First(replay.Incident{ID: fmt.Sprint(n), Group: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
		c.Next()
	}
	if got := c.Differences(); len(got) != 100_000 || c.Untold() != 5 {
		t.Errorf("%d told, %d not", len(got), c.Untold())
	}
}
