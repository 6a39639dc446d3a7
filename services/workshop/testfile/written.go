package testfile

import (
	"encoding/json"

	"firebreak/schemas"
)

// The file as it is written. Keys without omitempty are required.
type (
	writtenFile struct {
		Playbook string        `json:"playbook" jsonschema:"description=The name of the playbook that is tested"`
		Tests    []writtenCase `json:"tests"`
	}

	writtenCase struct {
		Name      string                     `json:"name" jsonschema:"description=What is the matter in this test: a sentence"`
		Inventory *Inventory                 `json:"inventory,omitempty" jsonschema:"description=What the inventory would know"`
		Events    []writtenEvent             `json:"events,omitempty"`
		Silent    []writtenSilence           `json:"silent,omitempty" jsonschema:"description=Sources that were not alive for a time; all others are"`
		Until     *schemas.Duration          `json:"until,omitempty" jsonschema:"description=How far time runs on; by default until nothing waits for it"`
		Hold      bool                       `json:"hold,omitempty" jsonschema:"description=All automatic acts are on hold"`
		Mock      map[string]json.RawMessage `json:"mock,omitempty" jsonschema:"description=What becomes of steps by id or action: a state; a state with a reason; a list of them for one attempt after the other"`
		Expect    writtenExpect              `json:"expect"`
	}

	writtenEvent struct {
		At      schemas.Duration  `json:"at,omitempty" jsonschema:"description=When it happened from the beginning on"`
		Stored  *schemas.Duration `json:"stored,omitempty" jsonschema:"description=When the log took it; by default when it happened"`
		Type    string            `json:"type,omitempty" jsonschema:"description=The event's type as playbooks write it"`
		ID      string            `json:"id,omitempty"`
		Source  string            `json:"source,omitempty" jsonschema:"description=/test/ARENA by default"`
		Subject string            `json:"subject,omitempty"`
		Host    string            `json:"host,omitempty" jsonschema:"description=Short for data.host.name"`
		Data    json.RawMessage   `json:"data,omitempty"`
		As      string            `json:"as,omitempty" jsonschema:"description=The format of raw"`
		Raw     json.RawMessage   `json:"raw,omitempty" jsonschema:"description=An event as another tool writes it: as YAML or as text"`
		Times   int               `json:"times,omitempty" jsonschema:"description=So many of it; ${n} in its texts is the number from 1"`
		Every   *schemas.Duration `json:"every,omitempty" jsonschema:"description=The time between them; 1s by default"`
	}

	writtenSilence struct {
		Types []string          `json:"types" jsonschema:"description=Types of events whose source is silent"`
		From  schemas.Duration  `json:"from,omitempty"`
		To    *schemas.Duration `json:"to,omitempty" jsonschema:"description=By default to the end"`
	}

	writtenExpect struct {
		Incidents []writtenIncident `json:"incidents" jsonschema:"description=All of them: one more or less fails"`
		Unknown   []json.RawMessage `json:"unknown,omitempty" jsonschema:"description=Groups of which it cannot be told whether something failed to come"`
	}

	writtenIncident struct {
		By       json.RawMessage   `json:"by,omitempty" jsonschema:"description=The group: a value; a list of them; or the fields with their values"`
		At       *schemas.Duration `json:"at,omitempty" jsonschema:"description=The time of the event that completed the match"`
		Severity string            `json:"severity,omitempty" jsonschema:"enum=low,enum=medium,enum=high,enum=critical"`
		Steps    []json.RawMessage `json:"steps,omitempty" jsonschema:"description=All that ran in their order: by id or action"`
		Not      []string          `json:"not,omitempty" jsonschema:"description=Steps that must not run"`
		Recurred *int              `json:"recurred,omitempty" jsonschema:"description=How often it was recorded that the group matched again"`
		Outcome  string            `json:"outcome,omitempty" jsonschema:"enum=contained,enum=partial,enum=failed,enum=observed,enum=refused,enum=gone,enum=nothing"`
	}

	writtenStep struct {
		ID     string          `json:"id,omitempty"`
		Do     string          `json:"do,omitempty"`
		Target json.RawMessage `json:"target,omitempty" jsonschema:"description=The id of the target or a list of them"`
		State  string          `json:"state,omitempty" jsonschema:"enum=applied,enum=enforced,enum=partial,enum=ineffective,enum=unverified,enum=failed,enum=refused,enum=gone,enum=observed,enum=skipped,enum=released,enum=requested,enum=planned"`
		Cause  string          `json:"cause,omitempty" jsonschema:"enum=hold,enum=guard,enum=protected,enum=budget,enum=approval,enum=condition,enum=needs,enum=target,enum=unknown-action,enum=timeout,enum=error"`
		With   json.RawMessage `json:"with,omitempty" jsonschema:"description=Parameters that it must have been given"`
	}
)
