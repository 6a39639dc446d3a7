package correlator

import (
	"testing"

	"firebreak/schemas"
	"firebreak/services/correlator/engine"
)

// What is stored at once may come into the ledger in any order.
func TestWhatIsStoredAtOnce(t *testing.T) {
	opened := func(incident, playbook, group string) engine.Decision {
		return engine.Opened{Incident: incident, Opened: schemas.Opened{
			Playbook: schemas.Playbook{Name: playbook}, Group: group, Once: schemas.Duration(1),
		}}
	}
	is := func(ds ...engine.Decision) job { return job{decisions: ds} }
	for name, tc := range map[string]struct {
		jobs []job
		want []bool
	}{
		"others":                         {[]job{is(opened("i", "p", "g")), is(opened("j", "p", "h")), is(opened("k", "q", "g"))}, []bool{false, false, false}},
		"an incident and what recurs":    {[]job{is(opened("i", "p", "g")), is(engine.Recurred{Incident: "i", N: 1})}, []bool{false, true}},
		"two incidents of a group":       {[]job{is(opened("i", "p", "g")), is(opened("j", "p", "g"))}, []bool{false, true}},
		"the place where it was read up": {[]job{is(opened("i", "p", "g")), {live: true}}, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			for i, j := range tc.jobs {
				if got := j.touches(seen); got != tc.want[i] {
					t.Errorf("job %d: %v", i, got)
				}
			}
		})
	}
}
