package responder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder/guardrail"
)

// Ledger is what the executor needs of the bus.
type Ledger interface {
	Append(ctx context.Context, r schemas.Record, after schemas.Head) (schemas.Record, error)
	Last(ctx context.Context, incident, task, place string) (schemas.Record, error)
	FollowLedger(ctx context.Context, from uint64, handle func(schemas.Record) error, live func() error) error
}

// State is where the global hold stands.
type State interface {
	FollowState(ctx context.Context, key string, handle func(value []byte) error) error
}

// HoldKey is the key of STATE under which the global hold ([schemas.Hold]) stands.
const HoldKey = "hold"

// Config of the executor of one place.
type Config struct {
	Place   string // whose requests are carried out: schemas.PlaceCore or schemas.NodePlace(node)
	Ledger  Ledger
	State   State // the global hold; nothing is done before it is known
	Actions []Action
	Guard   *guardrail.Guardrail // nil: guardrail.Default()
	Log     *slog.Logger

	// Conductor says whether a writer may ask (requested, release). Records of
	// anybody else are logged and left aside. It is called for every such
	// record, and must be quick.
	Conductor func(writer string) bool

	Timeout   time.Duration // of each call of an action; default 30 s
	KeepEvery time.Duration // how often held effects are looked after; default 30 s
	Workers   int           // targets worked on at once; default 16
	Queue     int           // targets that may wait for a worker before that is said in the log; default 1024
	Looks     int           // verifications of one effect at most, when they ask for another; default 20
	Backoff   time.Duration // first wait after something failed for now, doubled up to 30 s; default 250 ms

	// Hints name targets to look after at once, such as a container that
	// appeared; one that shares its pod with something held is enough. May be nil.
	Hints <-chan schemas.Target

	// Live is called once, when all that was in the ledger at the start has
	// been read and the work begins. May be nil.
	Live func()

	// At is called at named points, so that a test can stop or kill the
	// process there: "before X" and "after X" with X one of plan, apply,
	// verify, keep, undo (calls of the action) or the kind of a record
	// (storing it). A context that ended meanwhile is respected right there.
	// May be nil.
	At func(point string)
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Place == "":
		return c, errors.New("responder: no place: say whose requests are to be carried out")
	case c.Ledger == nil, c.State == nil, c.Log == nil, c.Conductor == nil:
		return c, fmt.Errorf("responder at %s: Ledger, State, Log and Conductor are needed", c.Place)
	}
	if c.Guard == nil {
		c.Guard = guardrail.Default()
	}
	for _, d := range []struct {
		into *time.Duration
		def  time.Duration
	}{{&c.Timeout, 30 * time.Second}, {&c.KeepEvery, 30 * time.Second}, {&c.Backoff, 250 * time.Millisecond}} {
		if *d.into <= 0 {
			*d.into = d.def
		}
	}
	for _, d := range []struct {
		into *int
		def  int
	}{{&c.Workers, 16}, {&c.Queue, 1024}, {&c.Looks, 20}} {
		if *d.into <= 0 {
			*d.into = d.def
		}
	}
	if c.At == nil {
		c.At = func(string) {}
	}
	if c.Live == nil {
		c.Live = func() {}
	}
	return c, nil
}

// index takes the actions by name and refuses those that do not keep their Spec's word.
func index(actions []Action) (map[string]Action, error) {
	out := make(map[string]Action, len(actions))
	for _, a := range actions {
		spec := a.Spec()
		if _, twice := out[spec.Name]; twice || spec.Name == "" {
			return nil, fmt.Errorf("action %q: named twice or not at all", spec.Name)
		}
		if _, can := a.(Undoer); spec.Undo != "" && !can {
			return nil, fmt.Errorf("action %s: its Spec promises an undo that it does not have", spec.Name)
		}
		if _, can := a.(Verifier); (spec.Verify != "") != can {
			return nil, fmt.Errorf("action %s: its Spec and its methods differ about verification", spec.Name)
		}
		out[spec.Name] = a
	}
	return out, nil
}
