package bus

import (
	"fmt"
	"strings"

	"firebreak/schemas"
)

// Names of the streams behind the five stores.
const (
	eventsStream    = "EVENTS"
	ledgerStream    = "LEDGER"
	inventoryStream = "KV_INVENTORY"
	stateStream     = "KV_STATE"
	blobsStream     = "OBJ_BLOBS"
)

// Where the stores hold what they hold.
const (
	eventsSpace    = "firebreak.events."
	ledgerSpace    = "firebreak.ledger."
	inventorySpace = "$KV.INVENTORY."
	stateSpace     = "$KV.STATE."
	chunkSpace     = "$O.BLOBS.C."
	blobSpace      = "$O.BLOBS.M."
)

// Where the stores say what they have just stored.
const (
	liveEvents    = "firebreak.live.events."
	liveLedger    = "firebreak.live.ledger."
	liveInventory = "firebreak.live.inventory."
	liveState     = "firebreak.live.state."
	spaceSubject  = "firebreak.live.space" // the bus says how its disk stands
)

// The API of JetStream, and where a user's account sees it: its own $JS.API.>
// is taken by the server, which answers there that JetStream is not enabled.
const (
	api      = "$JS.API."
	localAPI = "FIREBREAK.JS.API."
)

// holdKey is the one key of STATE that people write.
const holdKey = "hold"

// stateToken is where a key of STATE lies. The first token says who may write
// it, so that an import can be bounded by it: people write "people.hold", a
// node "node-<node>.…", and the core all others, below "core.".
func (u User) stateToken(key string) (string, error) {
	if key == holdKey {
		return "people." + holdKey, nil
	}
	if node := u.Node(); node != "" { // a host's name may hold dots
		if rest, ok := strings.CutPrefix(key, schemas.NodePlace(node)+"."); ok {
			key = schemas.NodePlace(schemas.Token(node)) + "." + rest
		}
	}
	if !validKey(key) {
		return "", fmt.Errorf("state key %q: %w: want tokens of A-Z a-z 0-9 _ = / -, with dots between", key, schemas.ErrInvalid)
	}
	if strings.HasPrefix(key, "node-") && strings.Contains(key, ".") {
		return key, nil
	}
	return "core." + key, nil
}

func validKey(key string) bool {
	for token := range strings.SplitSeq(key, ".") {
		if token == "" {
			return false
		}
		for i := range len(token) {
			c := token[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_=/-", rune(c)) {
				return false
			}
		}
	}
	return true
}

// itemToken is where an item lies in INVENTORY: <kind>.<id>.<owner>.
func itemToken(kind, id, owner string) string {
	if hex, ok := strings.CutPrefix(id, "sha256:"); ok {
		id = "sha256-" + hex
	}
	return schemas.Token(kind) + "." + schemas.Token(id) + "." + schemas.Token(owner)
}

// parseItemToken takes kind, id and owner from it.
func parseItemToken(s string) (schemas.Item, error) {
	t := strings.Split(s, ".")
	if len(t) != 3 {
		return schemas.Item{}, fmt.Errorf("inventory key %q: %w: want <kind>.<id>.<owner>", s, schemas.ErrInvalid)
	}
	var it schemas.Item
	var err error
	for i, into := range []*string{&it.Kind, &it.ID, &it.Owner} {
		if *into, err = schemas.Untoken(t[i]); err != nil {
			return schemas.Item{}, fmt.Errorf("inventory key: %w", err)
		}
	}
	if hex, ok := strings.CutPrefix(it.ID, "sha256-"); ok {
		it.ID = "sha256:" + hex
	}
	return it, nil
}
