package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
)

// hook is what Harbor sends when a webhook's format is CloudEvents.
type hook struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Time        time.Time       `json:"time"`
	Operator    string          `json:"operator"`
	Data        json.RawMessage `json:"data"`
}

// hookData is what is read of its data; the whole is kept beside it.
type hookData struct {
	Resources []struct {
		Digest      string              `json:"digest"`
		Tag         string              `json:"tag"`
		ResourceURL string              `json:"resource_url"`
		Overviews   map[string]overview `json:"scan_overview"`
	} `json:"resources"`
	Repository struct {
		FullName string `json:"repo_full_name"`
	} `json:"repository"`
	Replication struct {
		Host string `json:"harbor_hostname"`
	} `json:"replication"`
	Retention struct {
		Host string `json:"harbor_hostname"`
	} `json:"retention"`
}

// hooks are the types that Harbor sends.
var hooks = map[string]bool{
	schemas.HarborPushed: true, schemas.HarborPulled: true, schemas.HarborDeleted: true, schemas.HarborTagged: true,
	schemas.HarborScanCompleted: true, schemas.HarborScanFailed: true, schemas.HarborScanStopped: true,
	schemas.HarborQuotaExceeded: true, schemas.HarborQuotaNear: true,
	schemas.HarborReplicated: true, schemas.HarborRetained: true,
}

// Harbor reads a webhook of Harbor 2.8 or newer whose payload format is
// CloudEvents. Type, id and source stay Harbor's; its data stays whole under
// harbor. The older default format has no id and is refused.
func Harbor(data []byte, o Options) ([]schemas.Event, error) {
	var h hook
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("webhook of Harbor: %w: %w", schemas.ErrInvalid, err)
	}
	if h.SpecVersion != "1.0" {
		return nil, fmt.Errorf("webhook of Harbor: %w", invalid(
			"specversion %s: want 1.0; set the webhook's payload format to CloudEvents", quote(h.SpecVersion)))
	}
	if !hooks[h.Type] {
		return nil, fmt.Errorf("webhook of Harbor: %w", invalid("type %s is none of Harbor's", quote(h.Type)))
	}
	d, err := h.event()
	if err != nil {
		return nil, fmt.Errorf("webhook of Harbor: %s: %w", h.Type, err)
	}
	if h.Source != "" {
		o.Source = h.Source
	}
	e, err := o.event(h.Type, h.ID, subjectOf(d.Registry, d.Image), h.Time, d)
	if err != nil {
		return nil, fmt.Errorf("webhook of Harbor: %s: %w", h.Type, err)
	}
	return []schemas.Event{e}, nil
}

func (h *hook) event() (schemas.HarborEvent, error) {
	if !isObject(h.Data) {
		return schemas.HarborEvent{}, invalid("data is no object")
	}
	// Decoded rather than passed on as it is, for what JSON leaves open (a key
	// twice, broken UTF-8) must not reach the log.
	var whole map[string]any
	numbers := json.NewDecoder(bytes.NewReader(h.Data))
	numbers.UseNumber()
	if err := numbers.Decode(&whole); err != nil {
		return schemas.HarborEvent{}, fmt.Errorf("data: %w: %w", schemas.ErrInvalid, err)
	}
	var d hookData
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return schemas.HarborEvent{}, fmt.Errorf("data: %w: %w", schemas.ErrInvalid, err)
	}
	event := schemas.HarborEvent{
		Registry: registryOf(firstOf(d.Replication.Host, d.Retention.Host)),
		User:     userOf(h.Operator),
		Harbor:   whole,
	}
	if d.Repository.FullName != "" {
		event.Image = &schemas.Image{Name: d.Repository.FullName}
	}
	if len(d.Resources) == 0 {
		return event, nil
	}
	r := d.Resources[0]
	if host := hostOf(r.ResourceURL); host != "" {
		event.Registry = registryOf(host)
	}
	if event.Image != nil {
		event.Image.Digest = r.Digest
		if !strings.Contains(r.Tag, ":") { // a pull by digest has the digest for its tag
			event.Image.Tag = r.Tag
		}
	}
	event.Scan = scanOf(r.Overviews)
	return event, nil
}

// hostOf is what comes before a resource's path.
func hostOf(resource string) string {
	if _, after, schemed := strings.Cut(resource, "://"); schemed {
		resource = after
	}
	host, _, cut := strings.Cut(resource, "/")
	if !cut {
		return ""
	}
	return host
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
