package schemas

import "time"

// Event types of the registry arena.
const (
	ImagePushed     = "firebreak.registry.image.pushed"
	ImagePulled     = "firebreak.registry.image.pulled"
	ImageDeleted    = "firebreak.registry.image.deleted"
	TagMoved        = "firebreak.registry.tag.moved" // same tag, other digest
	ImageScanned    = "firebreak.registry.image.scanned"
	ImageVerified   = "firebreak.registry.image.verified"
	ImageAssessed   = "firebreak.registry.image.assessed"
	SourceUntrusted = "firebreak.registry.source.untrusted"
)

// Registry is where images are kept.
type Registry struct {
	Name string `json:"name" jsonschema:"description=Host of the registry with its port when it is not the usual one: registry.example.com"`
}

// Image is an image as its registry knows it.
type Image struct {
	Name      string `json:"name" jsonschema:"description=The repository without the registry's host: team/app"`
	Tag       string `json:"tag,omitempty"`
	Digest    string `json:"digest,omitempty" jsonschema:"description=sha256:… of the manifest or index"`
	MediaType string `json:"media_type,omitempty"`
	Size      uint64 `json:"size,omitempty" jsonschema:"description=Bytes of the manifest"`
}

// Client is who called, as the network sees it.
type Client struct {
	Address string `json:"address,omitempty" jsonschema:"description=IP address (client.address)"`
	Port    int    `json:"port,omitempty"`
}

// UserAgent is what the caller's program says of itself.
type UserAgent struct {
	Original string `json:"original" jsonschema:"description=user_agent.original"`
}

// ImageEvent is the data of registry.image.pushed, .pulled and .deleted.
type ImageEvent struct {
	Registry  *Registry  `json:"registry"`
	Image     *Image     `json:"image"`
	User      *User      `json:"user,omitempty"`
	Client    *Client    `json:"client,omitempty"`
	UserAgent *UserAgent `json:"user_agent,omitempty"`
}

// TagEvent is the data of registry.tag.moved.
type TagEvent struct {
	Registry *Registry `json:"registry"`
	Image    *Image    `json:"image" jsonschema:"description=What the tag names now"`
	Previous *Image    `json:"previous" jsonschema:"description=What the tag named before"`
	User     *User     `json:"user,omitempty"`
}

// ScanEvent is the data of registry.image.scanned.
type ScanEvent struct {
	Registry *Registry `json:"registry,omitempty"`
	Image    *Image    `json:"image"`
	K8s      *K8s      `json:"k8s,omitempty" jsonschema:"description=Where the workload is whose image was scanned when the report is of one"`
	Workload *Workload `json:"workload,omitempty" jsonschema:"description=The workload whose image was scanned when the report is of one"`
	Scan     *Scan     `json:"scan"`
}

// Scan counts the vulnerabilities of an image.
type Scan struct {
	Scanner  string    `json:"scanner" jsonschema:"description=trivy or grype and the like"`
	Critical int       `json:"critical"`
	High     int       `json:"high"`
	Medium   int       `json:"medium"`
	Low      int       `json:"low"`
	Unknown  int       `json:"unknown"`
	Fixable  int       `json:"fixable" jsonschema:"description=Those of any severity for which there is a fixed version"`
	Findings []Finding `json:"findings,omitempty" jsonschema:"description=The gravest first; cut at 200"`
	Cut      bool      `json:"cut,omitempty" jsonschema:"description=True when there are more findings than are listed"`
}

// Finding is one vulnerability of one package.
type Finding struct {
	ID       string  `json:"id" jsonschema:"description=CVE-… or GHSA-…"`
	Severity string  `json:"severity" jsonschema:"enum=critical,enum=high,enum=medium,enum=low,enum=unknown"`
	Package  string  `json:"package"`
	Version  string  `json:"version,omitempty" jsonschema:"description=The installed one"`
	Fixed    string  `json:"fixed,omitempty" jsonschema:"description=The first version without it"`
	Score    float64 `json:"score,omitempty" jsonschema:"description=CVSS score 0 to 10"`
}

// SignatureEvent is the data of registry.image.verified.
type SignatureEvent struct {
	Registry  *Registry  `json:"registry,omitempty"`
	Image     *Image     `json:"image"`
	Signature *Signature `json:"signature"`
}

// Signature is the verdict on an image's signatures.
type Signature struct {
	Verdict  string `json:"verdict" jsonschema:"enum=verified,enum=unsigned,enum=wrong_identity,enum=invalid"`
	Identity string `json:"identity,omitempty" jsonschema:"description=Who signed it"`
	Issuer   string `json:"issuer,omitempty" jsonschema:"description=Who vouches for the signer"`
	Tool     string `json:"tool,omitempty" jsonschema:"description=cosign or notation"`
}

// AssessmentEvent is the data of registry.image.assessed.
type AssessmentEvent struct {
	Registry   *Registry   `json:"registry,omitempty"`
	Image      *Image      `json:"image"`
	Assessment *Assessment `json:"assessment"`
}

// Assessment is what an image brings along.
type Assessment struct {
	Size            uint64     `json:"size" jsonschema:"description=Bytes of all layers as they are stored"`
	Layers          int        `json:"layers"`
	Shells          []string   `json:"shells,omitempty" jsonschema:"description=Paths of the shells on board"`
	PackageManagers []string   `json:"package_managers,omitempty" jsonschema:"description=Paths of the package managers on board"`
	Setuid          []string   `json:"setuid,omitempty" jsonschema:"description=Paths of programs that run as their owner"`
	User            string     `json:"user,omitempty" jsonschema:"description=The user its processes run as; absent means root"`
	Created         *time.Time `json:"created,omitempty"`
	AgeDays         int        `json:"age_days,omitempty" jsonschema:"description=Days since it was made"`
}

// UntrustedEvent is the data of registry.source.untrusted.
type UntrustedEvent struct {
	Registry  *Registry  `json:"registry"`
	Image     *Image     `json:"image"`
	Host      *Host      `json:"host,omitempty"`
	K8s       *K8s       `json:"k8s,omitempty"`
	Container *Container `json:"container,omitempty"`
	Reason    string     `json:"reason"`
}
