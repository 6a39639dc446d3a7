package schemas

// Event types of the runtime arena.
const (
	ContainerObserved = "firebreak.runtime.container.observed" // was there when the collector looked
	ContainerStarted  = "firebreak.runtime.container.started"
	ContainerExited   = "firebreak.runtime.container.exited"
	ContainerOOM      = "firebreak.runtime.container.oom"
	ContainerPaused   = "firebreak.runtime.container.paused"
	ContainerResumed  = "firebreak.runtime.container.resumed"
	ContainerUsage    = "firebreak.runtime.container.usage"
	ExecStarted       = "firebreak.runtime.exec.started" // a process was put into a container through its runtime
	ProcessStarted    = "firebreak.runtime.process.started"
)

// Event types of our own housekeeping.
const (
	Heartbeat        = "firebreak.system.heartbeat"         // a source lives
	SourceLost       = "firebreak.system.source.lost"       // a source broke off or fell silent
	EventsLost       = "firebreak.system.events.lost"       // counted losses between the kernel and the log
	EventsSuppressed = "firebreak.system.events.suppressed" // one container was too noisy
	LogGap           = "firebreak.system.log.gap"           // a reader came too late: the log had let events go
	PlaybooksChanged = "firebreak.system.playbooks.changed"
	GroupArmed       = "firebreak.system.group.armed"      // a group may open an incident again before its `once` ends
	GroupSuppressed  = "firebreak.system.group.suppressed" // a person asked for quiet
)

// Catalog lists every event type with an example of its data; the JSON
// Schemas and the type check of conditions are made from it.
var Catalog = []CatalogEntry{
	{ContainerObserved, "A container that was already running when the collector looked", ContainerEvent{}},
	{ContainerStarted, "A container was started", ContainerEvent{}},
	{ContainerExited, "A container ended", ContainerEvent{}},
	{ContainerOOM, "The kernel ended processes of a container for want of memory", ContainerEvent{}},
	{ContainerPaused, "A container was paused", ContainerEvent{}},
	{ContainerResumed, "A container runs on after a pause", ContainerEvent{}},
	{ContainerUsage, "What a container uses, sampled every 10 s", ContainerEvent{}},
	{ExecStarted, "A process was put into a running container through its runtime", ProcessEvent{}},
	{ProcessStarted, "A process executed a program", ProcessEvent{}},
	{Heartbeat, "A source is alive", SourceEvent{}},
	{SourceLost, "A source broke off or fell silent", SourceEvent{}},
	{EventsLost, "Events were lost before they could be stored", LossEvent{}},
	{EventsSuppressed, "Events of one noisy container were left out", LossEvent{}},
	{LogGap, "A reader of the log came too late for some of it", GapEvent{}},
	{PlaybooksChanged, "Another set of playbooks is in force", PlaybooksEvent{}},
	{GroupArmed, "A group of a playbook is armed again", GroupEvent{}},
	{GroupSuppressed, "A group of a playbook is left alone for a time", GroupEvent{}},
}

// CatalogEntry describes one event type.
type CatalogEntry struct {
	Type    string
	Summary string
	Data    any // zero value of the Go type of its data
}

// ContainerEvent is the data of runtime.container.*.
type ContainerEvent struct {
	Host      *Host      `json:"host"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container"`
}

// ProcessEvent is the data of runtime.process.started and runtime.exec.started.
// A process outside any container carries no container block.
type ProcessEvent struct {
	Host      *Host      `json:"host"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container,omitempty"`
	Process   *Process   `json:"process"`
	User      *User      `json:"user,omitempty"`
}

// SourceEvent is the data of system.heartbeat and system.source.lost.
type SourceEvent struct {
	Host   *Host  `json:"host"`
	Source string `json:"source" jsonschema:"description=Which source: containerd or exec or usage"`
	Detail string `json:"detail,omitempty" jsonschema:"description=How the source works, or why it was lost"`
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
	Content string   `json:"content,omitempty" jsonschema:"description=Digest in BLOBS of the set's sources: a JSON object from each file's name to its text"`
}

// GroupEvent is the data of system.group.armed and system.group.suppressed.
type GroupEvent struct {
	Playbook string `json:"playbook"`
	Group    string `json:"group"`
	Incident string `json:"incident,omitempty"`
	Until    string `json:"until,omitempty" jsonschema:"format=date-time"`
	Reason   string `json:"reason,omitempty"`
}

// Schema gives the catalog's entry of a type, and false for types it does not know.
func Schema(typ string) (CatalogEntry, bool) {
	for _, e := range Catalog {
		if e.Type == typ {
			return e, true
		}
	}
	return CatalogEntry{}, false
}
