package schemas

import "time"

// Event types of our own housekeeping.
const (
	Heartbeat        = "firebreak.system.heartbeat"         // a source lives, and has told all up to its time
	Tick             = "firebreak.system.tick"              // time goes on though nothing happens
	SourceLost       = "firebreak.system.source.lost"       // a source broke off or fell silent
	EventsLost       = "firebreak.system.events.lost"       // counted losses between the kernel and the log
	EventsSuppressed = "firebreak.system.events.suppressed" // one container was too noisy
	EventsRefused    = "firebreak.system.events.refused"    // what came was no event that could be taken
	LogGap           = "firebreak.system.log.gap"           // a reader came too late: the log had let events go
	WindowOverflowed = "firebreak.system.window.overflowed" // a playbook had too many groups at once
	MatchUnknown     = "firebreak.system.match.unknown"     // an absence that cannot be told from a lost source
	PlaybooksChanged = "firebreak.system.playbooks.changed"
	GroupArmed       = "firebreak.system.group.armed"      // a group may open an incident again before its `once` ends
	GroupSuppressed  = "firebreak.system.group.suppressed" // a person asked for quiet
)

// SourceEvent is the data of system.heartbeat and system.source.lost.
type SourceEvent struct {
	Host   *Host  `json:"host"`
	Source string `json:"source" jsonschema:"description=Which source: containerd or exec or usage"`
	Detail string `json:"detail,omitempty" jsonschema:"description=How the source works, or why it was lost"`

	Types []string `json:"types,omitempty" jsonschema:"description=Full types of the events that this source gives: with them its silence has a meaning"`
}

// LossEvent is the data of system.events.lost and system.events.suppressed.
type LossEvent struct {
	Host      *Host      `json:"host"`
	Source    string     `json:"source"`
	Container *Container `json:"container,omitempty"`
	Count     uint64     `json:"count"`
	Reason    string     `json:"reason"`
}

// GapEvent is the data of system.log.gap: sequences From to To are gone.
type GapEvent struct {
	Reader string `json:"reader"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
}

// PlaybooksEvent is the data of system.playbooks.changed.
type PlaybooksEvent struct {
	Digest  string   `json:"digest" jsonschema:"description=SHA-256 of the set: of names and contents and modes"`
	Names   []string `json:"names"`
	Content string   `json:"content,omitempty" jsonschema:"description=Digest in BLOBS of the set's sources: a JSON object from each file's name to its text; the text of .caps.json is itself a JSON object from the names of files to the most that guard.mode may be in them"`
}

// CapsEntry is the name, among the sources of a set, under which the caps of
// guard.mode are kept: the set's digest covers them. No file has it, for what
// begins with a dot is not loaded.
const CapsEntry = ".caps.json"

// GroupEvent is the data of system.group.armed and system.group.suppressed.
type GroupEvent struct {
	Playbook string `json:"playbook"`
	Group    string `json:"group"`
	Incident string `json:"incident,omitempty"`
	Until    string `json:"until,omitempty" jsonschema:"format=date-time"`
	Reason   string `json:"reason,omitempty"`
}

// TickEvent is the data of system.tick. The active correlator publishes them
// while something waits for time to pass.
type TickEvent struct {
	N  uint64    `json:"n" jsonschema:"description=How many ticks there were before it"`
	At time.Time `json:"at" jsonschema:"description=The log's time: that of the last tick and what has passed since by a clock that nobody sets"`
}

// RefusedEvent is the data of system.events.refused.
type RefusedEvent struct {
	Source string `json:"source" jsonschema:"description=Who sent it: a writer or a collector's source"`
	ID     string `json:"id,omitempty" jsonschema:"description=The refused event's id; cut when it is long"`
	Type   string `json:"type,omitempty" jsonschema:"description=The refused event's type; cut when it is long"`
	Seq    uint64 `json:"seq,omitempty" jsonschema:"description=Where the log holds it if it does"`
	Reason string `json:"reason"`
	Size   int    `json:"size" jsonschema:"description=Bytes"`
	Digest string `json:"digest,omitempty" jsonschema:"description=sha256 of the refused bytes"`
	Count  uint64 `json:"count" jsonschema:"description=How many were refused for this reason since the last such event"`
}

// OverflowEvent is the data of system.window.overflowed: the state of some
// groups was forgotten so that others could be kept.
type OverflowEvent struct {
	Playbook string `json:"playbook"`
	Signal   string `json:"signal,omitempty" jsonschema:"description=The nested match whose windows they were; absent for the playbook's own and for its once"`
	Limit    int    `json:"limit" jsonschema:"description=How many groups are kept at once; where all windows together held too much how many events or bytes of notes they may hold"`
	Count    uint64 `json:"count" jsonschema:"description=How many groups were forgotten since the last such event"`
	Incident string `json:"incident,omitempty" jsonschema:"description=The open incident of the last group forgotten"`
}

// UnknownEvent is the data of system.match.unknown: it cannot be told whether
// what a playbook expected failed to come, because its source was not alive
// throughout, or because what it was expected with came too late.
type UnknownEvent struct {
	Playbook string `json:"playbook"`
	Signal   string `json:"signal" jsonschema:"description=The signal that was expected or that may have broken a sequence off"`
	Group    string `json:"group"`
	After    string `json:"after" jsonschema:"description=Id of the event after which it was expected; of a sequence that of its last event"`
	Reason   string `json:"reason"`
	Count    uint64 `json:"count,omitempty" jsonschema:"description=How many it stands for: those beyond 32 in a minute are told together and group and after are then those of the last"`
}
