package schemas

// Event types of the host arena.
const (
	HostProcessStarted = "firebreak.host.process.started"
	FileChanged        = "firebreak.host.file.changed"
	LoginSucceeded     = "firebreak.host.login.succeeded"
	LoginFailed        = "firebreak.host.login.failed"
	ModuleLoaded       = "firebreak.host.module.loaded"
	ContainerRogue     = "firebreak.host.container.rogue"
	ConfigDrifted      = "firebreak.host.config.drifted"
	PackageVulnerable  = "firebreak.host.package.vulnerable"
)

// FileEvent is the data of host.file.changed.
type FileEvent struct {
	Host      *Host      `json:"host"`
	File      *File      `json:"file"`
	Process   *Process   `json:"process,omitempty" jsonschema:"description=Who changed it"`
	User      *User      `json:"user,omitempty"`
	Container *Container `json:"container,omitempty" jsonschema:"description=The container from which it was changed"`
	K8s       *K8s       `json:"k8s,omitempty"`
}

// File is a watched file.
type File struct {
	Path   string  `json:"path" jsonschema:"description=Path on the host"`
	Name   string  `json:"name,omitempty" jsonschema:"description=Last element of the path"`
	Change string  `json:"change" jsonschema:"enum=created,enum=modified,enum=deleted,enum=renamed,enum=attributes"`
	Kind   string  `json:"kind,omitempty" jsonschema:"enum=ssh_key,enum=ssh_config,enum=cron,enum=systemd_unit,enum=static_pod,enum=kubelet_config,enum=runtime_config,enum=runtime_socket,enum=account,enum=sudoers,enum=preload,enum=kernel_module,enum=log,enum=pki,description=Why it is watched"`
	Size   *uint64 `json:"size,omitempty" jsonschema:"description=Bytes after the change; 0 when it was emptied"`
	Mode   string  `json:"mode,omitempty" jsonschema:"description=Permissions in octal such as 0644"`
	Owner  string  `json:"owner,omitempty" jsonschema:"description=Name or number of the owner"`
}

// LoginEvent is the data of host.login.succeeded and host.login.failed.
type LoginEvent struct {
	Host   *Host   `json:"host"`
	User   *User   `json:"user"`
	Client *Client `json:"client,omitempty"`
	Login  *Login  `json:"login"`
}

// Login is how somebody came in, or tried to.
type Login struct {
	Service string `json:"service,omitempty" jsonschema:"description=sshd or login or sudo and the like"`
	Method  string `json:"method,omitempty" jsonschema:"description=password or publickey and the like"`
	Key     string `json:"key,omitempty" jsonschema:"description=Fingerprint of the key"`
	Reason  string `json:"reason,omitempty" jsonschema:"description=Why it failed"`
	Invalid bool   `json:"invalid_user,omitempty" jsonschema:"description=True when the host has no such user"`
}

// ModuleEvent is the data of host.module.loaded.
type ModuleEvent struct {
	Host      *Host      `json:"host"`
	Module    *Module    `json:"module"`
	Process   *Process   `json:"process,omitempty"`
	User      *User      `json:"user,omitempty"`
	Container *Container `json:"container,omitempty"`
	K8s       *K8s       `json:"k8s,omitempty"`
}

// Module is a kernel module.
type Module struct {
	Name    string `json:"name"`
	Path    string `json:"path,omitempty"`
	Signed  bool   `json:"signed,omitempty" jsonschema:"description=True when the kernel trusts its signature"`
	Tainted bool   `json:"tainted,omitempty" jsonschema:"description=True when it taints the kernel: unsigned or out of tree"`
}

// ConfigEvent is the data of host.config.drifted.
type ConfigEvent struct {
	Host   *Host   `json:"host"`
	Config *Config `json:"config"`
}

// Config is a setting that is not what it should be.
type Config struct {
	Check    string `json:"check" jsonschema:"description=Id of the check in its baseline such as 4.2.1"`
	Baseline string `json:"baseline,omitempty" jsonschema:"description=Whose baseline: CIS Kubernetes and the like"`
	Path     string `json:"path,omitempty" jsonschema:"description=The file that holds the setting"`
	Key      string `json:"key,omitempty"`
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
}

// PackageEvent is the data of host.package.vulnerable.
type PackageEvent struct {
	Host          *Host    `json:"host"`
	Vulnerability *Finding `json:"vulnerability"`
}
