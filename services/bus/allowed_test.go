package bus_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/nats-io/nkeys"

	"firebreak/schemas"
	"firebreak/services/bus"
)

func TestAllowed(t *testing.T) {
	place := []schemas.Kind{
		schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified,
		schemas.KindFailed, schemas.KindRefused, schemas.KindGone, schemas.KindObserved, schemas.KindKept, schemas.KindReleasing, schemas.KindReleased,
	}
	ask := []schemas.Kind{schemas.KindRequested, schemas.KindRelease}
	core := []schemas.Kind{schemas.KindOpened, schemas.KindRecurred, schemas.KindClosed, schemas.KindSkipped, schemas.KindNoticed, schemas.KindExpired}
	people := []schemas.Kind{schemas.KindReleaseAsked, schemas.KindHeld, schemas.KindResumed}
	all := slices.Concat(place, ask, core, people, []schemas.Kind{"", "unknown"})
	nodeA, nodeB := schemas.NodePlace("a"), schemas.NodePlace("b")
	cases := []struct {
		role  bus.Role
		node  string
		place string
		may   []schemas.Kind
	}{
		{bus.RoleCore, "", schemas.PlaceCore, slices.Concat(core, ask, place)},
		{bus.RoleCore, "", nodeA, ask},
		{bus.RoleCore, "", schemas.PlacePeople, ask},
		{bus.RolePeople, "", schemas.PlacePeople, people},
		{bus.RolePeople, "", schemas.PlaceCore, nil},
		{bus.RolePeople, "", nodeA, nil},
		{bus.RoleResponder, "a", nodeA, place},
		{bus.RoleResponder, "a", nodeB, nil},
		{bus.RoleResponder, "a", schemas.PlaceCore, nil},
		{bus.RoleResponder, "", "node-", nil},
		{bus.RoleCollector, "a", nodeA, nil},
		{bus.RoleAdmin, "", schemas.PlaceCore, nil},
		{"", "a", nodeA, nil},
	}
	for _, c := range cases {
		for _, k := range all {
			err := bus.Allowed(c.role, c.node, schemas.Record{Place: c.place, Kind: k})
			if want := slices.Contains(c.may, k); (err == nil) != want || err != nil && !errors.Is(err, bus.ErrDenied) {
				t.Errorf("%s of %q, %s at %s: %v; want allowed %v", c.role, c.node, k, c.place, err, want)
			}
		}
	}
}

func TestUsersByName(t *testing.T) {
	cases := []struct {
		user         bus.User
		role         bus.Role
		node, writer string
	}{
		{bus.Core, bus.RoleCore, "", "core"},
		{bus.People, bus.RolePeople, "", "people"},
		{bus.Collector("n1.example"), bus.RoleCollector, "n1.example", "node-n1.example"},
		{bus.Responder("x@y"), bus.RoleResponder, "x@y", "node-x@y"},
	}
	for _, c := range cases {
		if c.user.Role() != c.role || c.user.Node() != c.node || c.user.Writer() != c.writer {
			t.Errorf("%s: %s %q %q", c.user, c.user.Role(), c.user.Node(), c.user.Writer())
		}
	}
}

func FuzzParseRoster(f *testing.F) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		f.Fatal(err)
	}
	public, err := kp.PublicKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"keys":[{"user":"admin","public":"` + public + `"}]}`))
	f.Add([]byte(`{"keys":[{"user":"responder@","public":"x"}],"more":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := bus.ParseRoster(raw)
		if err != nil || r.Public(bus.Admin) == "" {
			return
		}
		if _, err := bus.Users("local", r); err != nil {
			t.Errorf("a roster that was taken gives no users: %v", err)
		}
	})
}
