package bus

import (
	"fmt"
	"strings"

	"firebreak/schemas"
)

// rights are all that a user's account reaches: what it may call, and what it
// may hear. Nothing else of the account FIREBREAK is visible to it.
type rights struct {
	calls []string // subjects it may send to and is answered on
	hears []string // subjects it may subscribe to
}

// rightsOf lists a user's rights, without wildcards beyond what is its own.
func rightsOf(u User, cluster string) (rights, error) {
	if err := u.check(); err != nil {
		return rights{}, err
	}
	var r rights
	switch u.Role() {
	case RoleCore:
		r = coreRights(cluster)
	case RolePeople:
		r = peopleRights()
	case RoleCollector:
		r = collectorRights(u, cluster)
	case RoleResponder:
		r = responderRights(u)
	default:
		return rights{}, fmt.Errorf("rights of %s: %w: it has no account of its own", u, ErrDenied)
	}
	// Which stores there are, to know one that is gone from one without a leader.
	r.calls = append(r.calls, namesCall)
	return r, nil
}

func coreRights(cluster string) rights {
	w := Core.Writer()
	r := readAll()
	r.calls = append(r.calls,
		eventSpace(cluster, w)+">",
		inventorySpace+"*.*."+w, stateSpace+"core.>",
		chunkSpace+w+".*", blobSpace+w+".*",
	)
	for _, k := range coreKinds {
		r.calls = append(r.calls, kindSubject(schemas.PlaceCore, k))
	}
	for _, k := range placeKinds {
		r.calls = append(r.calls, kindSubject(schemas.PlaceCore, k))
	}
	for _, k := range askingKinds {
		r.calls = append(r.calls, ledgerSpace+"*.*.*."+string(k))
	}
	return r
}

func peopleRights() rights {
	r := readAll()
	r.calls = append(r.calls, stateSpace+"people.>")
	for _, k := range peopleKinds {
		r.calls = append(r.calls, kindSubject(schemas.PlacePeople, k))
	}
	return r
}

// readAll lets read the stores whole: direct get writes nothing and takes no
// subject to deliver to.
func readAll() rights {
	var r rights
	for _, s := range []string{eventsStream, ledgerStream, inventoryStream, stateStream, blobsStream} {
		r.calls = append(r.calls, api+"DIRECT.GET."+s, api+"DIRECT.GET."+s+".>")
	}
	r.hears = []string{liveEvents + ">", liveLedger + ">", liveInventory + ">", liveState + ">", spaceSubject}
	return r
}

func collectorRights(u User, cluster string) rights {
	r := nodeRights(u)
	w := schemas.Token(u.Writer())
	r.calls = append(r.calls, eventSpace(cluster, u.Writer())+">", inventorySpace+"*.*."+w)
	return r
}

func responderRights(u User) rights {
	r := nodeRights(u)
	place := schemas.Token(u.Writer())
	for _, k := range placeKinds {
		r.calls = append(r.calls, kindSubject(u.Writer(), k))
	}
	r.calls = append(r.calls,
		chunkSpace+place+".*", blobSpace+place+".*",
		api+"DIRECT.GET."+ledgerStream+"."+ledgerSpace+"*.*."+place+".>",
		api+"DIRECT.GET."+stateStream+"."+stateSpace+"people."+holdKey,
	)
	r.calls = append(r.calls, consumerCalls(ledgerStream, u)...)
	r.hears = append(r.hears, liveLedger+"*.*."+place+".>", liveState+"people."+holdKey)
	return r
}

// nodeRights are what collector and responder of a node share: the node's own
// keys of STATE, and its own items to read.
func nodeRights(u User) rights {
	w := schemas.Token(u.Writer())
	r := rights{
		calls: []string{
			stateSpace + w + ".>",
			api + "DIRECT.GET." + stateStream + "." + stateSpace + w + ".>",
			api + "DIRECT.GET." + inventoryStream + "." + inventorySpace + "*.*." + w,
		},
		hears: []string{liveState + w + ".>", liveInventory + "*.*." + w, spaceSubject},
	}
	r.calls = append(r.calls, consumerCalls(inventoryStream, u)...)
	return r
}

// consumerCalls let a user read through the consumer that the administrator
// made for it, from any sequence, and nothing else about it.
func consumerCalls(stream string, u User) []string {
	return []string{
		api + "CONSUMER.MSG.NEXT." + stream + "." + u.token(),
		api + "CONSUMER.RESET." + stream + "." + u.token(),
	}
}

// consumersOf gives the filter of each consumer that a user reads through, by stream.
func consumersOf(u User) map[string]string {
	w := schemas.Token(u.Writer())
	switch u.Role() {
	case RoleCollector:
		return map[string]string{inventoryStream: inventorySpace + "*.*." + w}
	case RoleResponder:
		return map[string]string{inventoryStream: inventorySpace + "*.*." + w, ledgerStream: ledgerSpace + "*.*." + w + ".>"}
	default:
		return nil
	}
}

func eventSpace(cluster, writer string) string {
	return eventsSpace + schemas.Token(cluster) + "." + schemas.Token(writer) + "."
}

func kindSubject(place string, k schemas.Kind) string {
	return ledgerSpace + "*.*." + schemas.Token(place) + "." + string(k)
}

// local is what the user's own account calls a subject.
func local(subject string) string {
	if rest, ok := strings.CutPrefix(subject, api); ok {
		return localAPI + rest
	}
	return subject
}

// covers tells whether a NATS pattern takes in a subject or a narrower pattern.
// It allocates nothing: every write asks it.
func covers(pattern, subject string) bool {
	for {
		p, pmore, ponward := strings.Cut(pattern, ".")
		if p == ">" {
			return subject != ""
		}
		s, smore, sonward := strings.Cut(subject, ".")
		if s == ">" || p != "*" && p != s || ponward != sonward {
			return false
		}
		if !ponward {
			return true
		}
		pattern, subject = pmore, smore
	}
}
