package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"firebreak/schemas"
)

// report is what is read of a report of Trivy.
type report struct {
	ReportID     string
	CreatedAt    time.Time
	ArtifactName string
	ArtifactType string
	Metadata     struct {
		ImageID     string
		RepoTags    []string
		RepoDigests []string
		Reference   string
	}
	Results []struct {
		Vulnerabilities []vulnerability
	}
}

// vulnerability is one vulnerability of one package in a report.
type vulnerability struct {
	VulnerabilityID  string
	PkgName          string
	InstalledVersion string
	FixedVersion     string
	Severity         string
	SeveritySource   string
	CVSS             map[string]struct {
		V2Score, V3Score, V40Score float64
	}
}

// image is the type of artifact that has one.
const image = "container_image"

// Trivy reads a report of Trivy (SchemaVersion 2), or a VulnerabilityReport or
// ClusterVulnerabilityReport of its operator, alone, in a list, or as the
// operator's webhook wraps it. Each gives one registry.image.scanned. What tells
// of no image (a folder's report, another kind of the operator's) is an error
// that wraps [ErrNoImage].
//
// The id follows from the content and the report's own time: the same report
// has the same id however often it comes, a later scan has another one.
func Trivy(data []byte, o Options) ([]schemas.Event, error) {
	var form struct {
		SchemaVersion *int
		object
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, fmt.Errorf("report of Trivy: %w: %w", schemas.ErrInvalid, err)
	}
	if form.SchemaVersion == nil {
		return o.operator(data, 0)
	}
	e, err := o.report(data, *form.SchemaVersion)
	if err != nil {
		return nil, err
	}
	return []schemas.Event{e}, nil
}

func (o Options) report(data []byte, version int) (schemas.Event, error) {
	if version != 2 {
		return schemas.Event{}, fmt.Errorf("report of Trivy: %w", invalid("SchemaVersion %d: want 2", version))
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return schemas.Event{}, fmt.Errorf("report of Trivy: %w: %w", schemas.ErrInvalid, err)
	}
	d, err := r.event()
	if err == nil {
		var e schemas.Event
		if e, err = o.scanned(d, r.ReportID, r.CreatedAt); err == nil {
			return e, nil
		}
	}
	return schemas.Event{}, fmt.Errorf("report of Trivy on %s: %w", quote(r.ArtifactName), err)
}

// scanned makes the event of a scan. An event that is too large lists fewer
// findings; the counts are always those of the whole.
func (o Options) scanned(d schemas.ScanEvent, id string, at time.Time) (schemas.Event, error) {
	for {
		raw, err := json.Marshal(d)
		if err != nil {
			return schemas.Event{}, fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
		}
		if len(raw) <= o.most() || len(d.Scan.Findings) == 0 {
			id = fingerprint(id, at.UTC().Format(time.RFC3339Nano), string(raw))
			return o.event(schemas.ImageScanned, id, subjectOf(d.Registry, d.Image), at, json.RawMessage(raw))
		}
		d.Scan.Findings, d.Scan.Cut = d.Scan.Findings[:len(d.Scan.Findings)/2], true
	}
}

func (r *report) event() (schemas.ScanEvent, error) {
	if of := r.ArtifactType; of != image && (of != "" || r.Metadata.ImageID == "") {
		return schemas.ScanEvent{}, fmt.Errorf("%w: %w: its ArtifactType is %s, not %s",
			schemas.ErrInvalid, ErrNoImage, quote(of), image)
	}
	registry, scanned := r.image()
	if scanned.Name == "" {
		return schemas.ScanEvent{}, fmt.Errorf("%w: %w: ArtifactName is missing", schemas.ErrInvalid, ErrNoImage)
	}
	s := &schemas.Scan{Scanner: "trivy"}
	var all []schemas.Finding
	for _, result := range r.Results {
		for i := range result.Vulnerabilities {
			f := result.Vulnerabilities[i].finding()
			count(s, f.Severity, 1)
			if f.Fixed != "" {
				s.Fixable++
			}
			all = append(all, f)
		}
	}
	list(s, all)
	return schemas.ScanEvent{Registry: registry, Image: &scanned, Scan: s}, nil
}

// image finds out which image was scanned. The artifact's name is what somebody
// typed; when that is an archive's path, the tags inside tell.
func (r *report) image() (*schemas.Registry, schemas.Image) {
	names := append(append(slices.Clone(r.Metadata.RepoTags), r.Metadata.RepoDigests...), r.Metadata.Reference)
	if !noReference(r.ArtifactName) {
		names = slices.Insert(names, 0, r.ArtifactName)
	}
	for _, name := range names {
		host, found, ok := split(name)
		if !ok {
			continue
		}
		for _, other := range names {
			if h, more, ok := split(other); ok && h == host && more.Name == found.Name {
				found.Tag = firstOf(found.Tag, more.Tag)
				found.Digest = firstOf(found.Digest, more.Digest)
			}
		}
		return registryOf(host), found
	}
	return nil, schemas.Image{Name: r.ArtifactName}
}

// noReference finds the paths of archives and the bare ids of images, which
// could be taken for references.
func noReference(name string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "sha256:")
}

func (v *vulnerability) finding() schemas.Finding {
	return schemas.Finding{
		ID: v.VulnerabilityID, Severity: severityOf(v.Severity),
		Package: v.PkgName, Version: v.InstalledVersion, Fixed: v.FixedVersion, Score: v.score(),
	}
}

// score takes the one that belongs to the severity, else NVD's, else another's;
// of one that has several, the newest version of CVSS but 4, which few have.
func (v *vulnerability) score() float64 {
	for _, by := range append([]string{v.SeveritySource, "nvd"}, slices.Sorted(maps.Keys(v.CVSS))...) {
		s := v.CVSS[by]
		for _, score := range []float64{s.V3Score, s.V40Score, s.V2Score} {
			if score > 0 && score <= 10 {
				return score
			}
		}
	}
	return 0
}

// isObject is false for null, lists and plain values, which decode into an
// empty struct or not at all.
func isObject(raw []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) }
