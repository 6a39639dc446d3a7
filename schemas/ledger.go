package schemas

import (
	"encoding/json"
	"time"
)

// Opened begins an incident. It carries the steps as they were, so that a
// changed playbook never strands an incident.
type Opened struct {
	Playbook Playbook            `json:"playbook"`
	Group    string              `json:"group"`           // the group's key as text; "" without `by`
	Key      map[string]any      `json:"key,omitempty"`   // the fields of `by` with their values
	Trigger  EventRef            `json:"trigger"`         // the event that completed the match
	Signals  map[string]Signal   `json:"signals"`         // by name: what each signal's steps may speak of
	Types    map[string][]string `json:"types,omitempty"` // of each signal's events that steps may speak of, where one of them may be missing
	Once     Duration            `json:"once,omitzero"`   // one incident per group in that time
	Guard    Guard               `json:"guard"`           // as the playbook and the library's mode make it together
	Stale    bool                `json:"stale,omitempty"` // older than guard.staleAfter when it was opened: to be asked, not enforced
	Steps    []Step              `json:"steps"`
}

// Playbook says which playbook opened an incident.
type Playbook struct {
	Name     string   `json:"name"`
	Digest   string   `json:"digest"` // SHA-256 of the set in force
	Summary  string   `json:"summary"`
	Arena    string   `json:"arena"`
	Severity string   `json:"severity"` // low | medium | high | critical
	Attack   []string `json:"attack,omitempty"`
}

// EventRef points at an event of EVENTS.
type EventRef struct {
	Source string    `json:"source"`
	ID     string    `json:"id"`
	Type   string    `json:"type"`
	Time   time.Time `json:"time"`
	Seq    uint64    `json:"seq,omitempty"`
}

// Signal is the event behind a signal's name, with its data.
type Signal struct {
	EventRef
	Data json.RawMessage `json:"data"`
	Cut  bool            `json:"cut,omitempty"` // its data were too large for the record: long texts and lists are cut; the event is whole in EVENTS
}

// Guard bounds what a playbook may do.
type Guard struct {
	Mode       string   `json:"mode"`                // observe | approve | enforce
	Except     string   `json:"except,omitempty"`    // CEL over the signals' fields; true leaves the target out
	Limit      *Limit   `json:"limit,omitempty"`     // how many targets in which time
	StaleAfter Duration `json:"staleAfter,omitzero"` // older matches are asked, not enforced
}

// Limit is a budget.
type Limit struct {
	Targets int      `json:"targets"`
	Per     Duration `json:"per"`
	Share   string   `json:"share,omitempty"` // share of a workload's replicas, such as "33%"
}

// Step is one thing to do, as its playbook says it.
type Step struct {
	ID           string          `json:"id"`
	Do           string          `json:"do"`
	Target       string          `json:"target,omitempty"` // CEL giving one entity or a list
	With         json.RawMessage `json:"with,omitempty"`   // parameters; ${…} in strings not yet substituted
	When         string          `json:"when,omitempty"`
	Needs        []string        `json:"needs,omitempty"`
	For          Duration        `json:"for,omitzero"`
	OnExpire     string          `json:"onExpire,omitempty"` // keep | release | terminate
	Retry        *Retry          `json:"retry,omitempty"`
	Timeout      Duration        `json:"timeout,omitzero"`
	Irreversible bool            `json:"irreversible,omitempty"`
	OnFailure    []Step          `json:"onFailure,omitempty"`
	Parallel     []Step          `json:"parallel,omitempty"` // instead of Do: these at once
}

// Retry says how often a failed step is tried again.
type Retry struct {
	Attempts int      `json:"attempts"`
	Backoff  Duration `json:"backoff"`
}

// Recurred says that the group of an open incident matched again.
type Recurred struct {
	Trigger EventRef          `json:"trigger"`
	Signals map[string]Signal `json:"signals"`
}

// Closed ends an incident: all its tasks are final and nothing is held.
type Closed struct {
	Outcome string `json:"outcome"` // contained | partial | failed | observed | refused | gone | nothing
}

// Requested asks a place for a step on one target.
type Requested struct {
	Step     string          `json:"step"`
	Action   string          `json:"action"`
	Target   Target          `json:"target"`
	With     json.RawMessage `json:"with,omitempty"` // parameters with every ${…} substituted
	Mode     string          `json:"mode"`           // observe (stop after the plan) | enforce
	Attempt  int             `json:"attempt,omitempty"`
	For      Duration        `json:"for,omitzero"`
	OnExpire string          `json:"onExpire,omitempty"`
	Asked    *Answer         `json:"asked,omitempty"`    // what the inventory was asked, when it was
	Round    int             `json:"round,omitempty"`    // which recurrence brought the target; 0: the opening
	NoVerify bool            `json:"noVerify,omitempty"` // the action has nothing to verify: applied is final
	NoUndo   bool            `json:"noUndo,omitempty"`   // the action leaves nothing that is held
	Lease    uint64          `json:"lease,omitempty"`    // revision of the conductor's lease
}

// Answer is what the inventory said to a target or a `when`.
type Answer struct {
	AsOf    time.Time `json:"as_of"`             // of the oldest entry; zero when there was none
	Asked   []string  `json:"asked,omitempty"`   // such as pods(sha256:…)
	Found   []string  `json:"found,omitempty"`   // ids
	Missing []string  `json:"missing,omitempty"` // look-ups that found nothing
}

// Outcome says why a task ended, or stands where it does.
type Outcome struct {
	Reason    string `json:"reason"`              // a sentence for people: what failed, on what, why
	Remedy    string `json:"remedy,omitempty"`    // what to do about it
	Cause     string `json:"cause,omitempty"`     // hold | guard | protected | budget | approval | condition | needs | target | unknown-action | timeout | error
	Transient bool   `json:"transient,omitempty"` // whether trying again can help
	Step      string `json:"step,omitempty"`
	Action    string `json:"action,omitempty"`

	Asked  *Answer `json:"asked,omitempty"`  // what the inventory was asked, when it was
	Target *Target `json:"target,omitempty"` // set by the core, which has no `requested` record to point at
	Round  int     `json:"round,omitempty"`  // as in Requested
}

// Release asks a place to let go of a task's effect.
type Release struct {
	Reason string `json:"reason"`       // asked | expired | temporary
	By     string `json:"by,omitempty"` // who asked
	Why    string `json:"why,omitempty"`
}

// Releasing is stored before anything is undone.
type Releasing struct {
	Undo    bool     `json:"undo"`              // false while other holders stay
	Holders []string `json:"holders,omitempty"` // who still holds it
	Plan    Plan     `json:"plan"`              // the first holder's plan: its prior state counts
}

// Released says that this task holds nothing any more.
type Released struct {
	Undone bool   `json:"undone"`          // whether the prior state was put back
	Drift  string `json:"drift,omitempty"` // what had changed meanwhile and was left as it is
}

// ReleaseAsked is a person's wish.
type ReleaseAsked struct {
	By       string   `json:"by"`
	Why      string   `json:"why,omitempty"`
	Suppress Duration `json:"suppress,omitzero"` // leave the group alone for that time
}

// HoldChange is a person's use of the kill switch for all automatic acts.
type HoldChange struct {
	By  string `json:"by"`
	Why string `json:"why,omitempty"`
}

// Hold is the kill switch as it stands (STATE, key "hold").
type Hold struct {
	On    bool      `json:"on"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	Since time.Time `json:"since"`
}
