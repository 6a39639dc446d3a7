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
	ConnectionOpened  = "firebreak.runtime.connection.opened"
)

// ContainerEvent is the data of runtime.container.*.
type ContainerEvent struct {
	Host      *Host      `json:"host"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container"`
}

// ProcessEvent is the data of runtime.process.started, runtime.exec.started and
// host.process.started. A process outside any container carries no container
// block.
type ProcessEvent struct {
	Host      *Host      `json:"host"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container,omitempty"`
	Process   *Process   `json:"process"`
	User      *User      `json:"user,omitempty"`
	Tetragon  *Tetragon  `json:"tetragon,omitempty" jsonschema:"description=The event as Tetragon wrote it when it came from there"`
}

// ConnectionEvent is the data of runtime.connection.opened. A connection to a
// unix socket has destination.path instead of an address.
type ConnectionEvent struct {
	Host        *Host      `json:"host"`
	K8s         *K8s       `json:"k8s,omitempty"`
	Container   *Container `json:"container,omitempty"`
	Process     *Process   `json:"process"`
	User        *User      `json:"user,omitempty"`
	Network     *Network   `json:"network,omitempty"`
	Source      *Endpoint  `json:"source,omitempty"`
	Destination *Endpoint  `json:"destination"`
	Tetragon    *Tetragon  `json:"tetragon,omitempty"`
}

// Network is how a connection was made.
type Network struct {
	Transport string `json:"transport,omitempty" jsonschema:"enum=tcp,enum=udp,enum=unix,description=OSI transport layer (network.transport)"`
	Type      string `json:"type,omitempty" jsonschema:"enum=ipv4,enum=ipv6,description=OSI network layer (network.type)"`
}

// Endpoint is one end of a connection.
type Endpoint struct {
	Address string `json:"address,omitempty" jsonschema:"description=IP address"`
	Port    int    `json:"port,omitempty"`
	Path    string `json:"path,omitempty" jsonschema:"description=Path of a unix socket; it begins with @ for an abstract one"`
}
