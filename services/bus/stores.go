package bus

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Limits of the stores. A zero field takes its default.
type Limits struct {
	EventsBytes    int64         // beyond it EVENTS lets go of the oldest
	EventsAge      time.Duration // older events go too
	LedgerBytes    int64         // beyond it a record is refused (ErrFull)
	InventoryBytes int64         // beyond it an item is refused (ErrFull)
	StateBytes     int64         // beyond it a key is refused (ErrFull); two of the correlator's checkpoints must fit
	BlobsBytes     int64         // beyond it a blob is refused (ErrFull)
	Replicas       int           // copies of each store in a cluster of servers
}

// withDefaults fills in what is not given.
func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int64
		def   int64
	}{
		{&l.EventsBytes, 2 << 30},
		{&l.LedgerBytes, 1 << 30},
		{&l.InventoryBytes, 256 << 20},
		{&l.StateBytes, 512 << 20},
		{&l.BlobsBytes, 4 << 30},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
	}
	if l.EventsAge == 0 {
		l.EventsAge = 7 * 24 * time.Hour
	}
	if l.Replicas == 0 {
		l.Replicas = 1
	}
	return l
}

// layout is the version of how the stores are laid out; it goes into their metadata.
const (
	layoutKey = "firebreak.layout"
	layout    = 1
)

// tombstoneTTL is how long INVENTORY remembers that an item is gone. A
// follower that was cut off for longer must begin anew.
const tombstoneTTL = 24 * time.Hour

// duplicates is how long a repeated publish is recognised.
const duplicates = 2 * time.Minute

// streams gives the five stores as they shall be. None lets a header roll up
// (one message would empty a whole bucket), and none deletes by request.
func streams(l Limits) []jetstream.StreamConfig {
	base := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxConsumers: -1, MaxMsgSize: -1,
		Replicas: l.Replicas, Duplicates: duplicates, AllowDirect: true,
	}
	bucket := base
	bucket.MaxMsgsPerSubject = 1

	events := base
	events.Name, events.Description = eventsStream, "What happened. Lets go of the oldest."
	events.Subjects, events.RePublish = []string{eventsSpace + ">"}, republish(eventsSpace, liveEvents)
	events.Discard, events.MaxBytes, events.MaxAge = jetstream.DiscardOld, l.EventsBytes, l.EventsAge

	ledger := base
	ledger.Name, ledger.Description = ledgerStream, "What was decided and done. Refuses what does not fit."
	ledger.Subjects, ledger.RePublish = []string{ledgerSpace + ">"}, republish(ledgerSpace, liveLedger)
	ledger.MaxBytes = l.LedgerBytes

	inventory := bucket
	inventory.Name, inventory.Description = inventoryStream, "What is running: a hint, never the truth."
	inventory.Subjects, inventory.RePublish = []string{inventorySpace + ">"}, republish(inventorySpace, liveInventory)
	inventory.MaxBytes, inventory.AllowMsgTTL = l.InventoryBytes, true

	state := bucket
	state.Name, state.Description = stateStream, "Leases, checkpoints, cursors, the hold."
	state.Subjects, state.RePublish = []string{stateSpace + ">"}, republish(stateSpace, liveState)
	state.MaxBytes = l.StateBytes

	blobs := bucket
	blobs.Name, blobs.Description = blobsStream, "Evidence and playbook sets, by digest."
	blobs.Subjects, blobs.MaxBytes = []string{chunkSpace + ">", blobSpace + ">"}, l.BlobsBytes

	return []jetstream.StreamConfig{events, ledger, inventory, state, blobs}
}

func republish(from, to string) *jetstream.RePublish {
	return &jetstream.RePublish{Source: from + ">", Destination: to + ">"}
}
