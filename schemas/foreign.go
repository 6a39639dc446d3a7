package schemas

import "time"

// Types of events that other tools make. Falco's and Harbor's are CloudEvents
// of their own and keep their type.
const (
	FalcoRule     = "falco.rule.output.v1"
	TetragonEvent = "tetragon.event.v1" // what has no type of ours

	HarborPushed        = "harbor.artifact.pushed"
	HarborPulled        = "harbor.artifact.pulled"
	HarborDeleted       = "harbor.artifact.deleted"
	HarborTagged        = "harbor.tag.created" // of newer Harbors
	HarborScanCompleted = "harbor.scan.completed"
	HarborScanFailed    = "harbor.scan.failed"
	HarborScanStopped   = "harbor.scan.stopped"
	HarborQuotaExceeded = "harbor.quota.exceeded"
	HarborQuotaNear     = "harbor.quota.warned"
	HarborReplicated    = "harbor.replication.status.changed"
	HarborRetained      = "harbor.tag_retention.finished"
)

// FalcoEvent is the data of falco.rule.output.v1.
type FalcoEvent struct {
	Host      *Host           `json:"host,omitempty"`
	K8s       *K8s            `json:"k8s,omitempty"`
	Container *Container      `json:"container,omitempty"`
	Process   *ForeignProcess `json:"process,omitempty"`
	User      *User           `json:"user,omitempty"`
	Falco     *Falco          `json:"falco"`
}

// ForeignProcess is a process as a tool tells of it that may leave out the pid.
type ForeignProcess struct {
	PID         int            `json:"pid,omitempty" jsonschema:"description=Absent when the rule's output does not name it"`
	Executable  *Executable    `json:"executable,omitempty"`
	CommandArgs []string       `json:"command_args,omitempty" jsonschema:"description=Arguments with the program's own name first (process.command_args)"`
	Parent      *ForeignParent `json:"parent,omitempty"`
}

// ForeignParent is the process that started a [ForeignProcess].
type ForeignParent struct {
	PID        int         `json:"pid,omitempty"`
	Executable *Executable `json:"executable,omitempty"`
}

// Falco is an alert as Falco wrote it.
type Falco struct {
	UUID         string         `json:"uuid,omitempty"`
	Output       string         `json:"output,omitempty"`
	Message      string         `json:"message,omitempty" jsonschema:"description=The output without time and priority"`
	Priority     string         `json:"priority" jsonschema:"description=Emergency or Alert or Critical or Error or Warning or Notice or Informational or Debug"`
	Rule         string         `json:"rule"`
	Time         *time.Time     `json:"time,omitempty"`
	Source       string         `json:"source,omitempty" jsonschema:"description=syscall or k8s_audit and the like"`
	Hostname     string         `json:"hostname,omitempty"`
	Tags         []string       `json:"tags,omitempty"`
	OutputFields map[string]any `json:"output_fields,omitempty" jsonschema:"description=Fields by Falco's names such as proc.name"`
}

// TetragonData is the data of tetragon.event.v1.
type TetragonData struct {
	Host      *Host      `json:"host,omitempty"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container,omitempty"`
	Process   *Process   `json:"process,omitempty"`
	User      *User      `json:"user,omitempty"`
	Tetragon  *Tetragon  `json:"tetragon"`
}

// Tetragon is an event as Tetragon wrote it: kind is the member of the one-of
// that it is, event that member's value.
type Tetragon struct {
	Kind  string         `json:"kind" jsonschema:"description=process_exec or process_exit or process_kprobe and the like"`
	Event map[string]any `json:"event,omitempty"`
}

// HarborEvent is the data of harbor.*.
type HarborEvent struct {
	Registry *Registry `json:"registry,omitempty"`
	Image    *Image    `json:"image,omitempty" jsonschema:"description=The first of the resources"`
	User     *User     `json:"user,omitempty" jsonschema:"description=Who did it: the attribute operator"`
	Scan     *Scan     `json:"scan,omitempty"`
	Harbor   any       `json:"harbor" jsonschema:"description=The data as Harbor wrote it"`
}
