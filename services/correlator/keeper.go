package correlator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"firebreak/schemas"
)

const (
	headKey   = "correlator.checkpoint"
	chunkSize = 512 << 10
	// maxSnapshot lets two of them fit into STATE with room for all the rest.
	maxSnapshot = 224 << 20
	headVersion = 1
)

var (
	// errTakenOver: another correlator goes on from the checkpoint.
	errTakenOver = errors.New("another correlator has taken over: this one ends, and loses nothing by it; run one for a cluster")
	errDamaged   = errors.New("damaged")
	errNewer     = errors.New("made by a newer Firebreak")
	errTooLarge  = fmt.Errorf("its state is larger than a checkpoint may be (%d MiB): shorten `within` of the playbooks with the most groups", maxSnapshot>>20)
)

// checkpoint is the state of a correlator at a place in the log. The engine's
// lies in chunks beside it.
type checkpoint struct {
	Place   place    `json:"place"`
	Anchors []place  `json:"anchors,omitempty"` // places before it
	Ledger  uint64   `json:"ledger"`            // records of decisions up to here lie behind the place
	Set     inForce  `json:"set"`
	Names   string   `json:"announced,omitempty"` // the set that was announced last
	Ticks   ticks    `json:"ticks"`
	Outbox  outbox   `json:"outbox"`
	Size    int      `json:"size"`
	Chunks  []string `json:"chunks,omitempty"` // SHA-256 of each
}

// head says which of the two slots is in force. The other one is the former
// checkpoint until it is written over.
type head struct {
	Version int            `json:"version"`
	Owner   string         `json:"owner"`
	Current int            `json:"current"`
	Slots   [2]*checkpoint `json:"slots"`
}

// keeper stores checkpoints in STATE so that a crash at any moment leaves a
// whole one, and so that of two correlators only the newer one can.
type keeper struct {
	bus   Bus
	owner string
	head  head
	rev   uint64            // of the head
	revs  map[string]uint64 // of the chunks, as far as they are known
}

func newKeeper(bus Bus) *keeper {
	return &keeper{bus: bus, owner: rand.Text(), head: head{Version: headVersion}, revs: map[string]uint64{}}
}

func chunkKey(slot, n int) string { return fmt.Sprintf("correlator.checkpoint.%d.%d", slot, n) }

// claim takes the checkpoint over, so that whoever had it can write none any
// more. A head that cannot be read is an error of class errDamaged, and taken over too.
func (k *keeper) claim(ctx context.Context) error {
	for {
		value, rev, err := k.bus.GetState(ctx, headKey)
		if err != nil {
			return fmt.Errorf("read the checkpoint: %w", err)
		}
		h, damage := readHead(value)
		if errors.Is(damage, errNewer) {
			return damage
		}
		k.head, k.rev = h, rev
		err = k.putHead(ctx, h)
		if errors.Is(err, errTakenOver) {
			continue // its former owner has just moved it
		}
		return errors.Join(err, damage)
	}
}

func readHead(value []byte) (head, error) {
	h := head{Version: headVersion}
	if len(value) == 0 {
		return h, nil
	}
	var is head
	if err := json.Unmarshal(value, &is); err != nil {
		return h, fmt.Errorf("the checkpoint's head: %w: %w", errDamaged, err)
	}
	switch {
	case is.Version > headVersion:
		return h, fmt.Errorf("the checkpoint: %w: its version is %d, this program knows %d: use the newer program", errNewer, is.Version, headVersion)
	case is.Version != headVersion || is.Current < 0 || is.Current > 1:
		return h, fmt.Errorf("the checkpoint's head: %w: version %d, slot %d", errDamaged, is.Version, is.Current)
	}
	return is, nil
}

// putHead stores a head in the place of the one that is known.
func (k *keeper) putHead(ctx context.Context, h head) error {
	h.Owner = k.owner
	value, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("the checkpoint's head: %w", err)
	}
	rev, err := k.bus.PutState(ctx, headKey, value, k.rev)
	if errors.Is(err, schemas.ErrConflict) {
		return fmt.Errorf("%w (%w)", errTakenOver, err)
	}
	if err != nil {
		return fmt.Errorf("store the checkpoint's head: %w", err)
	}
	k.head, k.rev = h, rev
	return nil
}

// forget lets go of all checkpoints.
func (k *keeper) forget(ctx context.Context) error {
	return k.putHead(ctx, head{Version: headVersion})
}

// load gives the checkpoint in force or, where that is damaged, the former one;
// nil when there is none. What was the matter with one is the error.
func (k *keeper) load(ctx context.Context) (*checkpoint, []byte, error) {
	var damage error
	for _, slot := range [2]int{k.head.Current, 1 - k.head.Current} {
		cp := k.head.Slots[slot]
		if cp == nil {
			continue
		}
		state, err := k.chunks(ctx, slot, cp)
		if err == nil {
			k.head.Current = slot // the next one must not be written over it
			return cp, state, damage
		}
		if !errors.Is(err, errDamaged) {
			return nil, nil, err
		}
		damage = errors.Join(damage, err)
	}
	return nil, nil, damage
}

func (k *keeper) chunks(ctx context.Context, slot int, cp *checkpoint) ([]byte, error) {
	if cp.Size < 0 || cp.Size > maxSnapshot || len(cp.Chunks) != (cp.Size+chunkSize-1)/chunkSize {
		return nil, fmt.Errorf("checkpoint at %d: %w: %d bytes in %d chunks", cp.Place.Seq, errDamaged, cp.Size, len(cp.Chunks))
	}
	state := make([]byte, 0, cp.Size)
	for n, want := range cp.Chunks {
		value, rev, err := k.bus.GetState(ctx, chunkKey(slot, n))
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint: %w", err)
		}
		sum := sha256.Sum256(value)
		if hex.EncodeToString(sum[:]) != want {
			return nil, fmt.Errorf("checkpoint at %d: %w: chunk %d of %d is not what was written", cp.Place.Seq, errDamaged, n+1, len(cp.Chunks))
		}
		k.revs[chunkKey(slot, n)] = rev
		state = append(state, value...)
	}
	if len(state) != cp.Size {
		return nil, fmt.Errorf("checkpoint at %d: %w: it has %d bytes, not %d", cp.Place.Seq, errDamaged, len(state), cp.Size)
	}
	return state, nil
}

// save stores a checkpoint in the slot that is not in force, and then puts that
// in force.
func (k *keeper) save(ctx context.Context, cp checkpoint, state []byte) error {
	if len(state) > maxSnapshot {
		return errTooLarge
	}
	slot := 1 - k.head.Current
	cp.Size, cp.Chunks = len(state), nil
	for n := 0; len(state) > 0; n++ {
		chunk := state[:min(chunkSize, len(state))]
		state = state[len(chunk):]
		if err := k.put(ctx, chunkKey(slot, n), chunk); err != nil {
			return err
		}
		sum := sha256.Sum256(chunk)
		cp.Chunks = append(cp.Chunks, hex.EncodeToString(sum[:]))
	}
	h, before := k.head, 0
	if h.Slots[slot] != nil {
		before = len(h.Slots[slot].Chunks)
	}
	h.Current, h.Slots[slot] = slot, &cp
	if err := k.putHead(ctx, h); err != nil {
		return err
	}
	return k.free(ctx, slot, len(cp.Chunks), before)
}

// put stores a chunk over whatever is there, as long as the checkpoint is ours.
func (k *keeper) put(ctx context.Context, key string, value []byte) error {
	for {
		rev, err := k.bus.PutState(ctx, key, value, k.revs[key])
		if err == nil {
			k.revs[key] = rev
			return nil
		}
		if !errors.Is(err, schemas.ErrConflict) {
			return fmt.Errorf("store the checkpoint: %w", err)
		}
		// A former run left it, or a newer owner writes it. The order matters:
		// an owner that comes after the second look changes the revision.
		_, is, err := k.bus.GetState(ctx, key)
		if err != nil {
			return fmt.Errorf("store the checkpoint: %w", err)
		}
		_, headRev, err := k.bus.GetState(ctx, headKey)
		if err != nil {
			return fmt.Errorf("store the checkpoint: %w", err)
		}
		if headRev != k.rev {
			return errTakenOver
		}
		k.revs[key] = is
	}
}

// free removes the chunks of a slot that its checkpoint does not use.
func (k *keeper) free(ctx context.Context, slot, from, to int) error {
	for n := from; n < to; n++ {
		key := chunkKey(slot, n)
		if err := k.bus.DeleteState(ctx, key); err != nil {
			return fmt.Errorf("free a part of the former checkpoint: %w", err)
		}
		delete(k.revs, key)
	}
	return nil
}

// giveWay frees what a checkpoint that could not be completed holds: leases
// and cursors need the room more. The one in force stays.
func (k *keeper) giveWay(ctx context.Context, size int) error {
	slot := 1 - k.head.Current
	h, chunks := k.head, (size+chunkSize-1)/chunkSize
	if h.Slots[slot] != nil {
		chunks = max(chunks, len(h.Slots[slot].Chunks))
	}
	return k.free(ctx, slot, 0, chunks)
}
