package decode

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
)

// object is what tells the forms of the operator's reports apart.
type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
	Verb       string            `json:"verb"`           // of the webhook, where it also tells of deletions
	Inner      json.RawMessage   `json:"operatorObject"` // likewise
}

// group is the API group of the operator's reports.
const group = "aquasecurity.github.io/"

// Labels that the operator puts on a report.
const (
	labelKind      = "trivy-operator.resource.kind"
	labelName      = "trivy-operator.resource.name"
	labelNamespace = "trivy-operator.resource.namespace"
	labelContainer = "trivy-operator.container.name"
)

// custom is a VulnerabilityReport or ClusterVulnerabilityReport.
type custom struct {
	Metadata struct {
		Name   string            `json:"name"`
		UID    string            `json:"uid"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Report struct {
		Updated time.Time `json:"updateTimestamp"`
		Scanner struct {
			Name string `json:"name"`
		} `json:"scanner"`
		Registry struct {
			Server string `json:"server"`
		} `json:"registry"`
		Artifact struct {
			Repository string `json:"repository"`
			Digest     string `json:"digest"`
			Tag        string `json:"tag"`
			MimeType   string `json:"mimeType"`
		} `json:"artifact"`
		Summary *struct {
			Critical int `json:"criticalCount"`
			High     int `json:"highCount"`
			Medium   int `json:"mediumCount"`
			Low      int `json:"lowCount"`
			Unknown  int `json:"unknownCount"`
		} `json:"summary"`
		Vulnerabilities []struct {
			ID       string   `json:"vulnerabilityID"`
			Resource string   `json:"resource"`
			Version  string   `json:"installedVersion"`
			Fixed    string   `json:"fixedVersion"`
			Severity string   `json:"severity"`
			Score    *float64 `json:"score"`
		} `json:"vulnerabilities"`
	} `json:"report"`
}

// operator reads one object of the operator's, or a list of them. The depth
// ends what a hostile body could nest.
func (o Options) operator(data []byte, depth int) ([]schemas.Event, error) {
	const place = "report of Trivy's operator"
	var form object
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", place, schemas.ErrInvalid, err)
	}
	switch {
	case depth < 2 && form.Verb == "delete" && isObject(form.Inner):
		return nil, nil // a report went away; no image was scanned
	case depth < 2 && isObject(form.Inner):
		return o.operator(form.Inner, depth+1)
	case depth < 2 && form.Items != nil:
		return o.reports(form.Items, depth+1)
	case !strings.HasPrefix(form.APIVersion, group):
		return nil, fmt.Errorf("report of Trivy: %w", invalid(
			"it has neither SchemaVersion nor an apiVersion of %s", strings.TrimSuffix(group, "/")))
	case form.Kind != "VulnerabilityReport" && form.Kind != "ClusterVulnerabilityReport":
		return nil, fmt.Errorf("%s: %w: %w: its kind is %s, not VulnerabilityReport",
			place, schemas.ErrInvalid, ErrNoImage, quote(form.Kind))
	}
	var c custom
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", place, schemas.ErrInvalid, err)
	}
	if c.Report.Artifact.Repository == "" {
		return nil, fmt.Errorf("%s %s: %w: %w: report.artifact.repository is missing",
			place, quote(c.Metadata.Name), schemas.ErrInvalid, ErrNoImage)
	}
	e, err := o.scanned(c.event(), c.Metadata.UID, c.Report.Updated)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", place, quote(c.Metadata.Name), err)
	}
	return []schemas.Event{e}, nil
}

func (o Options) reports(items []json.RawMessage, depth int) ([]schemas.Event, error) {
	var all []schemas.Event
	var bad problems
	for i, raw := range items {
		events, err := o.operator(raw, depth)
		if err != nil {
			bad.add(fmt.Errorf("items[%d]: %w", i, err))
		}
		all = append(all, events...)
	}
	return all, bad.err()
}

func (c *custom) event() schemas.ScanEvent {
	r := &c.Report
	d := schemas.ScanEvent{
		Registry: registryOf(r.Registry.Server),
		Image: &schemas.Image{
			Name: r.Artifact.Repository, Tag: r.Artifact.Tag, Digest: r.Artifact.Digest, MediaType: r.Artifact.MimeType,
		},
		Scan: &schemas.Scan{Scanner: scannerOf(r.Scanner.Name)},
	}
	d.K8s, d.Workload = c.owner()
	var all []schemas.Finding
	for _, v := range r.Vulnerabilities {
		f := schemas.Finding{
			ID: v.ID, Severity: severityOf(v.Severity), Package: v.Resource, Version: v.Version, Fixed: v.Fixed,
		}
		if v.Score != nil && *v.Score > 0 && *v.Score <= 10 {
			f.Score = *v.Score
		}
		if r.Summary == nil {
			count(d.Scan, f.Severity, 1)
		}
		if f.Fixed != "" {
			d.Scan.Fixable++
		}
		all = append(all, f)
	}
	if s := r.Summary; s != nil {
		d.Scan.Critical, d.Scan.High, d.Scan.Medium, d.Scan.Low, d.Scan.Unknown = s.Critical, s.High, s.Medium, s.Low, s.Unknown
	}
	list(d.Scan, all)
	return d
}

// owner says whose image it is, by the report's labels.
func (c *custom) owner() (*schemas.K8s, *schemas.Workload) {
	labels := c.Metadata.Labels
	k := schemas.K8s{}
	if ns := labels[labelNamespace]; ns != "" {
		k.Namespace = &schemas.Namespace{Name: ns}
	}
	if name := labels[labelContainer]; name != "" {
		k.Container = &schemas.K8sContainer{Name: name}
	}
	kind, name := labels[labelKind], labels[labelName]
	if kind == "" || name == "" {
		return known(k), nil
	}
	if kind == "Pod" {
		k.Pod = &schemas.Pod{Name: name}
	}
	return known(k), &schemas.Workload{Kind: kind, Name: name}
}

// known is nil when nothing is known.
func known(k schemas.K8s) *schemas.K8s {
	if k == (schemas.K8s{}) {
		return nil
	}
	return &k
}
