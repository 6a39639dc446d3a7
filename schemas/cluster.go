package schemas

import "time"

// Event types of the cluster arena.
const (
	PodObserved     = "firebreak.cluster.pod.observed"
	PodStarted      = "firebreak.cluster.pod.started"
	PodChanged      = "firebreak.cluster.pod.changed"
	PodDeleted      = "firebreak.cluster.pod.deleted"
	APICalled       = "firebreak.cluster.api.called"
	RBACChanged     = "firebreak.cluster.rbac.changed"
	ServiceExposed  = "firebreak.cluster.service.exposed"
	WorkloadChanged = "firebreak.cluster.workload.changed"
	PolicyChanged   = "firebreak.cluster.policy.changed"
)

// PodEvent is the data of cluster.pod.*.
type PodEvent struct {
	Host     *Host     `json:"host,omitempty" jsonschema:"description=The node it runs on"`
	K8s      *K8s      `json:"k8s"`
	Workload *Workload `json:"workload"`
	User     *User     `json:"user,omitempty" jsonschema:"description=Who made or changed it when that is known"`
}

// WorkloadEvent is the data of cluster.workload.changed.
type WorkloadEvent struct {
	K8s       *K8s      `json:"k8s"`
	Workload  *Workload `json:"workload"`
	Change    string    `json:"change" jsonschema:"enum=created,enum=modified,enum=deleted"`
	User      *User     `json:"user,omitempty"`
	Client    *Client   `json:"client,omitempty"`
	Consented *bool     `json:"consented,omitempty" jsonschema:"description=False when an operator of the platform changed a tenant's workload without consent"`
}

// Workload is a pod, or what makes pods.
type Workload struct {
	Kind           string   `json:"kind" jsonschema:"description=Pod or Deployment or DaemonSet and the like"`
	Name           string   `json:"name"`
	UID            string   `json:"uid,omitempty"`
	Owner          string   `json:"owner,omitempty" jsonschema:"description=Kind and name of what controls it: ReplicaSet/web-7d4"`
	ServiceAccount string   `json:"service_account,omitempty"`
	Automount      *bool    `json:"automount_token,omitempty" jsonschema:"description=Whether the service account's token is mounted; absent when nothing says so"`
	HostNetwork    bool     `json:"host_network,omitempty"`
	HostPID        bool     `json:"host_pid,omitempty"`
	HostIPC        bool     `json:"host_ipc,omitempty"`
	HostPaths      []string `json:"host_paths,omitempty" jsonschema:"description=Paths of the host that are mounted"`
	Privileged     bool     `json:"privileged,omitempty" jsonschema:"description=True when any of its containers is"`
	Capabilities   []string `json:"capabilities,omitempty" jsonschema:"description=Capabilities that are added to any of its containers such as SYS_ADMIN"`
	RunAsRoot      bool     `json:"run_as_root,omitempty" jsonschema:"description=True when it says runAsUser 0"`
	Images         []string `json:"images,omitempty" jsonschema:"description=Image references as they are written"`
	Ephemeral      bool     `json:"ephemeral,omitempty" jsonschema:"description=True when an ephemeral container was added"`
	Mirror         bool     `json:"mirror,omitempty" jsonschema:"description=True for the mirror of a static pod"`
	Schedule       string   `json:"schedule,omitempty" jsonschema:"description=Of a CronJob"`
	Replicas       *int     `json:"replicas,omitempty"`
}

// ServiceAccount is the identity of a pod in its cluster.
type ServiceAccount struct {
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
}

// AuditEvent is the data of cluster.api.called. The k8s block is what the call
// was about, caller is where it came from.
type AuditEvent struct {
	K8s       *K8s       `json:"k8s,omitempty"`
	User      *User      `json:"user"`
	Client    *Client    `json:"client,omitempty" jsonschema:"description=The first of the source addresses"`
	UserAgent *UserAgent `json:"user_agent,omitempty"`
	Caller    *Caller    `json:"caller,omitempty"`
	Audit     *Audit     `json:"audit"`
}

// Caller is the pod or node whose credential was used, as far as the token tells.
type Caller struct {
	Namespace      string          `json:"namespace,omitempty"`
	ServiceAccount *ServiceAccount `json:"service_account,omitempty"`
	Pod            *Pod            `json:"pod,omitempty"`
	Host           *Host           `json:"host,omitempty" jsonschema:"description=The node that the token was made for"`
	Credential     string          `json:"credential,omitempty" jsonschema:"description=Id of the token"`
}

// Audit is an event of the Kubernetes audit log, as the API server wrote it
// (audit.k8s.io/v1).
type Audit struct {
	Kind                     string            `json:"kind,omitempty"`
	APIVersion               string            `json:"apiVersion,omitempty"`
	Level                    string            `json:"level,omitempty" jsonschema:"enum=None,enum=Metadata,enum=Request,enum=RequestResponse"`
	AuditID                  string            `json:"auditID"`
	Stage                    string            `json:"stage" jsonschema:"enum=RequestReceived,enum=ResponseStarted,enum=ResponseComplete,enum=Panic"`
	RequestURI               string            `json:"requestURI,omitempty"`
	Verb                     string            `json:"verb"`
	User                     *AuditUser        `json:"user,omitempty"`
	ImpersonatedUser         *AuditUser        `json:"impersonatedUser,omitempty"`
	AuthenticationMetadata   any               `json:"authenticationMetadata,omitempty"`
	SourceIPs                []string          `json:"sourceIPs,omitempty"`
	UserAgent                string            `json:"userAgent,omitempty"`
	ObjectRef                *ObjectRef        `json:"objectRef,omitempty"`
	ResponseStatus           *ResponseStatus   `json:"responseStatus,omitempty"`
	RequestObject            any               `json:"requestObject,omitempty"`
	ResponseObject           any               `json:"responseObject,omitempty"`
	RequestReceivedTimestamp *time.Time        `json:"requestReceivedTimestamp,omitempty"`
	StageTimestamp           *time.Time        `json:"stageTimestamp,omitempty"`
	Annotations              map[string]string `json:"annotations,omitempty"`
	Cut                      bool              `json:"cut,omitempty" jsonschema:"description=True when the objects were too large to be carried and are left out"`
}

// AuditUser is a user as the API server knows it.
type AuditUser struct {
	Username string              `json:"username,omitempty"`
	UID      string              `json:"uid,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
}

// ObjectRef is what a call was about.
type ObjectRef struct {
	Resource        string `json:"resource,omitempty"`
	Subresource     string `json:"subresource,omitempty"`
	Namespace       string `json:"namespace,omitempty"`
	Name            string `json:"name,omitempty"`
	UID             string `json:"uid,omitempty"`
	APIGroup        string `json:"apiGroup,omitempty"`
	APIVersion      string `json:"apiVersion,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// ResponseStatus is what the API server answered.
type ResponseStatus struct {
	Code    int    `json:"code,omitempty" jsonschema:"description=HTTP status"`
	Status  string `json:"status,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`

	Metadata any `json:"metadata,omitempty"`
	Details  any `json:"details,omitempty"`
}

// RBACEvent is the data of cluster.rbac.changed.
type RBACEvent struct {
	K8s    *K8s    `json:"k8s,omitempty"`
	User   *User   `json:"user,omitempty"`
	Client *Client `json:"client,omitempty"`
	Change string  `json:"change" jsonschema:"enum=created,enum=modified,enum=deleted"`
	RBAC   *RBAC   `json:"rbac"`
}

// RBAC is a role or a binding as it is after the change.
type RBAC struct {
	Kind      string        `json:"kind" jsonschema:"enum=Role,enum=ClusterRole,enum=RoleBinding,enum=ClusterRoleBinding"`
	Name      string        `json:"name"`
	Namespace string        `json:"namespace,omitempty"`
	Rules     []RBACRule    `json:"rules,omitempty" jsonschema:"description=Of a role"`
	Wildcard  bool          `json:"wildcard,omitempty" jsonschema:"description=True when a rule gives every verb on every resource of a group or more"`
	RoleRef   *RoleRef      `json:"role_ref,omitempty" jsonschema:"description=Of a binding"`
	Subjects  []RBACSubject `json:"subjects,omitempty" jsonschema:"description=Of a binding"`
	System    bool          `json:"system,omitempty" jsonschema:"description=True for what Kubernetes itself brings: names that begin with system: and cluster-admin and admin and edit and view"`
	Cut       bool          `json:"cut,omitempty" jsonschema:"description=True when there are more rules or subjects than are listed"`
}

// RBACRule is one rule of a role.
type RBACRule struct {
	APIGroups       []string `json:"api_groups,omitempty"`
	Resources       []string `json:"resources,omitempty"`
	ResourceNames   []string `json:"resource_names,omitempty"`
	NonResourceURLs []string `json:"non_resource_urls,omitempty"`
	Verbs           []string `json:"verbs,omitempty"`
}

// RoleRef names the role that a binding gives.
type RoleRef struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// RBACSubject is who gets a role.
type RBACSubject struct {
	Kind      string `json:"kind" jsonschema:"description=User or Group or ServiceAccount"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// ServiceEvent is the data of cluster.service.exposed.
type ServiceEvent struct {
	K8s     *K8s     `json:"k8s"`
	User    *User    `json:"user,omitempty"`
	Client  *Client  `json:"client,omitempty"`
	Change  string   `json:"change" jsonschema:"enum=created,enum=modified"`
	Service *Service `json:"service"`
}

// Service is a way into the cluster.
type Service struct {
	Kind        string            `json:"kind" jsonschema:"description=Service or Ingress or Route and the like"`
	Name        string            `json:"name"`
	Type        string            `json:"type,omitempty" jsonschema:"description=NodePort or LoadBalancer and the like"`
	Ports       []int             `json:"ports,omitempty"`
	NodePorts   []int             `json:"node_ports,omitempty"`
	ExternalIPs []string          `json:"external_ips,omitempty"`
	Hosts       []string          `json:"hosts,omitempty" jsonschema:"description=Names that an Ingress answers to"`
	Selector    map[string]string `json:"selector,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Dashboard   bool              `json:"dashboard,omitempty" jsonschema:"description=True when it looks like a console: kubernetes-dashboard or grafana or argocd or kubeflow and the like"`
}

// PolicyEvent is the data of cluster.policy.changed.
type PolicyEvent struct {
	K8s    *K8s    `json:"k8s,omitempty"`
	User   *User   `json:"user,omitempty"`
	Client *Client `json:"client,omitempty"`
	Change string  `json:"change" jsonschema:"enum=created,enum=modified,enum=deleted"`
	Policy *Policy `json:"policy"`
}

// Policy is what keeps others in bounds.
type Policy struct {
	Kind      string `json:"kind" jsonschema:"description=NetworkPolicy or ValidatingWebhookConfiguration or ValidatingAdmissionPolicy and the like; Namespace when its pod security labels were changed"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Weakened  bool   `json:"weakened,omitempty" jsonschema:"description=True when it was removed or lets more through than before as far as the change itself tells"`
}
