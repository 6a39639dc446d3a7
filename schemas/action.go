package schemas

import (
	"encoding/json"
	"time"
)

// Spec describes an action: data only, the same for lint, documentation,
// rights and the responder that carries it out.
type Spec struct {
	Name             string          `json:"name"` // <family>.<verb>
	Summary          string          `json:"summary"`
	TargetKind       string          `json:"target_kind"`       // container | pod | incident
	Place            string          `json:"place"`             // node | core
	Params           json.RawMessage `json:"params"`            // JSON Schema of `with`
	Undo             string          `json:"undo,omitempty"`    // what undo does; "" when there is none
	Verify           string          `json:"verify,omitempty"`  // what a verification looks at; "" when there is nothing to verify
	Irreversible     bool            `json:"irreversible"`      // what it does cannot be taken back
	DestroysEvidence bool            `json:"destroys_evidence"` // evidence must be captured before it
	Rights           []string        `json:"rights,omitempty"`  // what it needs on the host, for people
	Rules            []Rule          `json:"rules,omitempty"`   // what it needs of Kubernetes (RBAC)
	Attack           []string        `json:"attack,omitempty"`
}

// Rule is one rule of Kubernetes RBAC.
type Rule struct {
	APIGroups []string `json:"apiGroups"`
	Resources []string `json:"resources"`
	Verbs     []string `json:"verbs"`
}

// Target is what a task acts on: an identity, never a name.
type Target struct {
	Kind     string `json:"kind"`           // container | pod | incident
	ID       string `json:"id"`             // container id, pod UID, incident id
	Place    string `json:"place"`          // where it can be reached: PlaceCore or NodePlace(node)
	Name     string `json:"name,omitempty"` // for people
	Entities        // what the event or the inventory knew of it
}

// Plan says what would be done, before anything is touched. Stored as
// `planned` it is the claim: after a crash it is carried out as it stands.
type Plan struct {
	Version   int             `json:"version"`
	Action    string          `json:"action"`
	Target    Target          `json:"target"`
	With      json.RawMessage `json:"with,omitempty"`
	Members   []Target        `json:"members,omitempty"`  // what the target was widened to, itself included
	Prior     json.RawMessage `json:"prior,omitempty"`    // the state that undo goes back to; the action's own form
	Will      []string        `json:"will,omitempty"`     // what will happen, in sentences for people
	Holder    string          `json:"holder,omitempty"`   // "<incident>/<task>", set by the executor
	PriorOf   string          `json:"prior_of,omitempty"` // the first holder, when it is another: its prior state counts
	PlannedAt time.Time       `json:"planned_at"`
}

// Effect is what was done.
type Effect struct {
	Version  int             `json:"version"`
	Plan     Plan            `json:"plan"`
	HaltedAt *time.Time      `json:"halted_at,omitempty"` // nothing in the target runs any more
	PausedAt *time.Time      `json:"paused_at,omitempty"` // the runtime says PAUSED
	Missing  string          `json:"missing,omitempty"`   // what of the plan could not be done; then the task is partial at best
	Data     json.RawMessage `json:"data,omitempty"`      // the action's own
}

// Verdict is what a verification saw.
type Verdict struct {
	Layers []Layer  `json:"layers"`
	Again  Duration `json:"again,omitzero"` // look again after that time; zero when this is final
}

// Layer is the verdict on one layer.
type Layer struct {
	Name   string `json:"name"`
	State  string `json:"state"` // contained | partial | ineffective | unverified
	Detail string `json:"detail,omitempty"`
}

// Layer states.
const (
	Contained   = "contained"
	Partial     = "partial"
	Ineffective = "ineffective"
	Unverified  = "unverified"
)

// Kind is the record that a verdict ends in: the worst of its layers, in the
// order ineffective, partial, unverified, contained. No layer at all is unverified.
func (v Verdict) Kind() Kind {
	worst := Contained
	rank := map[string]int{Contained: 0, Unverified: 1, Partial: 2, Ineffective: 3}
	for _, l := range v.Layers {
		state := l.State
		if _, known := rank[state]; !known {
			state = Unverified
		}
		if rank[state] > rank[worst] {
			worst = state
		}
	}
	switch {
	case len(v.Layers) == 0, worst == Unverified:
		return KindUnverified
	case worst == Ineffective:
		return KindIneffective
	case worst == Partial:
		return KindPartial
	default:
		return KindEnforced
	}
}

// Artefact is one piece of evidence.
type Artefact struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // "sha256:<hex>", its name in BLOBS
	Note   string `json:"note,omitempty"`
}
