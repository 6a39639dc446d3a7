package decode

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"firebreak/schemas"
)

// notification is one event of a distribution registry. Versions 1 and 2 of the
// media type differ in nothing that is read here.
type notification struct {
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Action    string    `json:"action"`
	Target    struct {
		MediaType  string `json:"mediaType"`
		Size       uint64 `json:"size"`
		Digest     string `json:"digest"`
		Repository string `json:"repository"`
		URL        string `json:"url"`
		Tag        string `json:"tag"`
	} `json:"target"`
	Request struct {
		Addr      string `json:"addr"`
		Host      string `json:"host"`
		UserAgent string `json:"useragent"`
	} `json:"request"`
	Actor struct {
		Name string `json:"name"`
	} `json:"actor"`
}

// actions maps what a registry says to what we call it. A mount puts into one
// repository what another one has: to those who watch the first it is a push.
var actions = map[string]string{
	"push":   schemas.ImagePushed,
	"mount":  schemas.ImagePushed,
	"pull":   schemas.ImagePulled,
	"delete": schemas.ImageDeleted,
}

// manifests are the media types of what makes an image; all else is a part of one.
var manifests = map[string]bool{
	"application/vnd.docker.distribution.manifest.v1+json":      true,
	"application/vnd.docker.distribution.manifest.v1+prettyjws": true,
	"application/vnd.docker.distribution.manifest.v2+json":      true,
	"application/vnd.docker.distribution.manifest.list.v2+json": true,
	"application/vnd.oci.image.manifest.v1+json":                true,
	"application/vnd.oci.image.index.v1+json":                   true,
}

// Distribution reads the notifications of a CNCF distribution registry: an
// envelope of events that need not belong together. Pushes and pulls of blobs
// are left out. A delete carries no media type, so that of a blob looks like
// that of an image; both become registry.image.deleted.
func Distribution(data []byte, o Options) ([]schemas.Event, error) {
	var envelope struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return nil, fmt.Errorf("notifications of a registry: %w: %w", schemas.ErrInvalid, err)
	}
	if envelope.Events == nil {
		return nil, fmt.Errorf("notifications of a registry: %w", invalid("there is no list named events"))
	}
	var all []schemas.Event
	var bad problems
	for i, raw := range envelope.Events {
		e, is, err := o.notification(raw)
		if err != nil {
			bad.add(fmt.Errorf("notifications of a registry: events[%d]: %w", i, err))
		} else if is {
			all = append(all, e)
		}
	}
	return all, bad.err()
}

// notification makes an event, or none of what is no image.
func (o Options) notification(raw []byte) (e schemas.Event, is bool, err error) {
	var n notification
	if err := json.Unmarshal(raw, &n); err != nil {
		return e, false, fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	typ, known := actions[n.Action]
	switch {
	case !known:
		return e, false, invalid("action %s: want push, pull, mount or delete", quote(n.Action))
	case typ != schemas.ImageDeleted && !n.ofImage():
		return e, false, nil
	case n.Target.Repository == "":
		return e, false, invalid("%s without target.repository", n.Action)
	case typ != schemas.ImageDeleted && n.Target.Digest == "":
		return e, false, invalid("%s without target.digest", n.Action)
	}
	registry := registryOf(n.host())
	if registry == nil {
		return e, false, invalid("%s names no registry: neither request.host nor target.url has one", n.Action)
	}
	d := schemas.ImageEvent{
		Registry: registry,
		Image: &schemas.Image{
			Name: n.Target.Repository, Tag: n.Target.Tag, Digest: n.Target.Digest,
			MediaType: n.Target.MediaType, Size: n.Target.Size,
		},
		User: userOf(n.Actor.Name), Client: clientOf(n.Request.Addr),
	}
	if n.Request.UserAgent != "" {
		d.UserAgent = &schemas.UserAgent{Original: n.Request.UserAgent}
	}
	e, err = o.event(typ, n.ID, subjectOf(d.Registry, d.Image), n.Timestamp, d)
	return e, err == nil, err
}

// ofImage tells manifests and indexes from blobs.
func (n *notification) ofImage() bool {
	if n.Target.MediaType == "" {
		return strings.Contains(n.Target.URL, "/manifests/")
	}
	return manifests[n.Target.MediaType]
}

// host is the registry's name as the caller knew it.
func (n *notification) host() string {
	host := n.Request.Host
	if host == "" {
		if u, err := url.Parse(n.Target.URL); err == nil {
			host = u.Host
		}
	}
	return strings.TrimSuffix(host, ":443")
}
