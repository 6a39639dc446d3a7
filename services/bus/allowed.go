package bus

import (
	"fmt"
	"slices"

	"firebreak/schemas"
)

// Kinds by who writes them, and where.
var (
	coreKinds = []schemas.Kind{ // at PlaceCore
		schemas.KindOpened, schemas.KindRecurred, schemas.KindClosed,
		schemas.KindSkipped, schemas.KindNoticed, schemas.KindExpired,
	}
	askingKinds = []schemas.Kind{schemas.KindRequested, schemas.KindRelease} // by core, at any place
	placeKinds  = []schemas.Kind{                                            // by the place itself
		schemas.KindPlanned, schemas.KindApplied, schemas.KindEnforced, schemas.KindPartial,
		schemas.KindIneffective, schemas.KindUnverified, schemas.KindFailed, schemas.KindRefused,
		schemas.KindGone, schemas.KindObserved, schemas.KindKept, schemas.KindReleasing, schemas.KindReleased,
	}
	peopleKinds = []schemas.Kind{schemas.KindReleaseAsked, schemas.KindHeld, schemas.KindResumed} // at PlacePeople
)

// Allowed tells whether a user may write a record of this kind at this place:
// nil, or an error of class [ErrDenied]. The server enforces the same by
// subjects; readers check it again, for the server may be an external one.
//
// Tasks at PlaceCore (such as notify.log) are carried out by the core's own
// process with its own key, so that it may write a place's kinds there.
func Allowed(role Role, node string, r schemas.Record) error {
	ok := false
	switch role {
	case RoleCore:
		ok = slices.Contains(askingKinds, r.Kind) ||
			r.Place == schemas.PlaceCore && (slices.Contains(coreKinds, r.Kind) || slices.Contains(placeKinds, r.Kind))
	case RoleResponder:
		ok = node != "" && r.Place == schemas.NodePlace(node) && slices.Contains(placeKinds, r.Kind)
	case RolePeople:
		ok = r.Place == schemas.PlacePeople && slices.Contains(peopleKinds, r.Kind)
	case RoleAdmin, RoleCollector: // nothing of the ledger
	}
	if !ok {
		return fmt.Errorf("record %q at place %q by %s of node %q: %w", r.Kind, r.Place, role, node, ErrDenied)
	}
	return nil
}
