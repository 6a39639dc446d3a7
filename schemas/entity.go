package schemas

import "time"

// Entities are the blocks an event can carry. Field names follow the
// OpenTelemetry semantic conventions, nested as JSON objects. What the source
// does not know is absent, never a zero value.
type Entities struct {
	Host      *Host      `json:"host,omitempty"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container,omitempty"`
	Process   *Process   `json:"process,omitempty"`
	User      *User      `json:"user,omitempty"`
	Image     *Image     `json:"image,omitempty"`
	Registry  *Registry  `json:"registry,omitempty"`
}

// Host is the machine the event happened on.
type Host struct {
	Name string `json:"name" jsonschema:"description=Name of the host as its operating system gives it (host.name)"`
}

// K8s is what Kubernetes calls the surroundings of a container.
type K8s struct {
	Namespace *Namespace    `json:"namespace,omitempty"`
	Pod       *Pod          `json:"pod,omitempty"`
	Container *K8sContainer `json:"container,omitempty"`

	ServiceAccount *ServiceAccount `json:"service_account,omitempty" jsonschema:"description=The pod's"`
	Cluster        *Cluster        `json:"cluster,omitempty"`
}

// Cluster is a Kubernetes cluster.
type Cluster struct {
	Name string `json:"name"`
}

// Namespace is a Kubernetes namespace.
type Namespace struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Pod is a Kubernetes pod. UID is its identity; the name may be used again.
type Pod struct {
	Name   string            `json:"name,omitempty"`
	UID    string            `json:"uid,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// K8sContainer is a container as its pod names it.
type K8sContainer struct {
	Name string `json:"name"`
}

// Container is a container as its runtime knows it.
type Container struct {
	ID        string            `json:"id" jsonschema:"description=The runtime's id (container.id)"`
	Name      string            `json:"name,omitempty"`
	Runtime   string            `json:"runtime,omitempty" jsonschema:"description=The runtime: containerd"`
	Namespace string            `json:"namespace,omitempty" jsonschema:"description=containerd's namespace; k8s.io for Kubernetes"`
	Image     *ContainerImage   `json:"image,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	PID       int               `json:"pid,omitempty" jsonschema:"description=The first process of the container in the host's pid namespace"`
	Cgroup    string            `json:"cgroup,omitempty" jsonschema:"description=Path of the container's cgroup below the hierarchy's root"`
	Sandbox   bool              `json:"sandbox,omitempty" jsonschema:"description=True for the sandbox (pause) container of a pod"`
	CPU       *CPU              `json:"cpu,omitempty"`
	Memory    *Memory           `json:"memory,omitempty"`
	Pids      *Pids             `json:"pids,omitempty"`
	Exit      *Exit             `json:"exit,omitempty"`
}

// ContainerImage is the image a container was made from.
type ContainerImage struct {
	Name   string `json:"name,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty" jsonschema:"description=sha256:… of the image's target: its index or manifest"`
}

// CPU is what a container used since the last sample.
type CPU struct {
	Utilization float64 `json:"utilization" jsonschema:"description=Share of one core since the last sample: 1 is one core whole"`
}

// Memory is what a container holds.
type Memory struct {
	Usage uint64 `json:"usage" jsonschema:"description=Bytes in use"`
	Limit uint64 `json:"limit,omitempty" jsonschema:"description=Bytes allowed; absent without a limit"`
}

// Pids counts the tasks of a container.
type Pids struct {
	Count uint64 `json:"count"`
}

// Exit is how a container ended.
type Exit struct {
	Code uint32 `json:"code"`
}

// Process is a process in the host's pid namespace.
type Process struct {
	PID            int         `json:"pid"`
	Executable     *Executable `json:"executable,omitempty"`
	CommandArgs    []string    `json:"command_args,omitempty" jsonschema:"description=Arguments with the program's own name first (process.command_args)"`
	CommandArgsCut bool        `json:"command_args_cut,omitempty" jsonschema:"description=True when there were more arguments than the sensor could take along"`
	Parent         *Parent     `json:"parent,omitempty"`
}

// Executable is the file a process runs.
type Executable struct {
	Name   string `json:"name,omitempty" jsonschema:"description=Last element of the path"`
	Path   string `json:"path,omitempty" jsonschema:"description=Path as seen in the process's own mount namespace"`
	Origin string `json:"origin,omitempty" jsonschema:"enum=image,enum=upper,enum=volume,enum=tmpfs,enum=memfd,enum=host,enum=unknown,description=Where the file comes from: the image's layers; the container's writable layer (drift); a volume; a tmpfs or /dev/shm; an anonymous memfd; the host"`
}

// Parent is the process that started another.
type Parent struct {
	PID        int         `json:"pid"`
	Executable *Executable `json:"executable,omitempty"`
}

// User is who a process runs as, or who did something.
type User struct {
	ID     string   `json:"id,omitempty" jsonschema:"description=Numeric user id in the host's user namespace as text; the uid of a user of Kubernetes (user.id)"`
	Name   string   `json:"name,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// Item is one entry of the inventory: what some owner saw running, and when.
// It is a hint; the source is asked before anything is touched.
type Item struct {
	Kind     string    `json:"kind"`  // "container" or "pod"
	ID       string    `json:"id"`    // container id or pod UID
	Owner    string    `json:"owner"` // the writer that saw it, such as "node-<name>"
	AsOf     time.Time `json:"as_of"`
	Entities           // what is known of it
}
