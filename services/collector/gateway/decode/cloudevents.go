package decode

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// mostEnvelope bounds an event with all its attributes: a mebibyte of data in
// base64, and room for the rest.
const mostEnvelope = 3 * intake.MaxBytes / 2

// CloudEvents reads one CloudEvent 1.0 in structured JSON. The data must be a
// JSON object, as it stands or in data_base64; the attribute time is required,
// since every event here has one. Extension attributes must be well formed and
// are then ignored.
//
// What it takes, the CloudEvents SDK takes too, with the same attributes and
// data. It takes less: no attribute twice, no second reading of the data (see
// package intake), no characters that are broken.
func CloudEvents(data []byte) (schemas.Event, error) {
	var p parts
	err := p.envelope(data)
	if err == nil {
		err = intake.Event(p.event)
	}
	return p.taken(err)
}

// taken gives the event, or names it in the error.
func (p *parts) taken(err error) (schemas.Event, error) {
	switch {
	case err == nil:
		return p.event, nil
	case p.event.ID == "":
		return schemas.Event{}, fmt.Errorf("CloudEvent: %w", err)
	}
	return schemas.Event{}, fmt.Errorf("CloudEvent %s: %w", quote(p.event.ID), err)
}

// Batch reads a list of CloudEvents, as application/cloudevents-batch+json has
// it. Items that cannot be taken are named in the error; the others come all
// the same.
func Batch(data []byte) ([]schemas.Event, error) {
	if !begins(data, '[') {
		return nil, fmt.Errorf("batch of CloudEvents: %w", invalid("it is no list"))
	}
	return each("batch of CloudEvents", data, CloudEvents)
}

// parts is an envelope as it is taken apart.
type parts struct {
	event        schemas.Event
	data, base64 []byte // where the data stands: as an object, or encoded
	seen         uint16
	extensions   [][]byte // their names
	recorded     bool     // the marks of a log are read, and the data is not copied
}

// The attributes, as bits of parts.seen.
const (
	attrVersion = 1 << iota
	attrID
	attrSource
	attrType
	attrSubject
	attrTime
	attrContent
	attrSchema
	attrData
	attrBase64
)

// envelope takes an event apart, and checks all but its data and the bounds of
// its attributes.
func (p *parts) envelope(data []byte) error {
	if len(data) > mostEnvelope {
		return invalid("%d bytes, at most %d are taken", len(data), mostEnvelope)
	}
	c := cursor{data: data}
	if err := c.object(p); err != nil {
		return err
	}
	return p.finish()
}

// finish checks what only the whole tells.
func (p *parts) finish() error {
	e := &p.event
	switch {
	case p.seen&attrVersion == 0:
		return invalid("specversion is missing")
	case strings.TrimSpace(e.ID) == "":
		return invalid("id is missing or empty")
	case e.Source == "":
		return invalid("source is missing or empty")
	case strings.TrimSpace(e.Type) == "":
		return invalid("type is missing or empty")
	case p.seen&attrTime == 0:
		return invalid("time is missing")
	case p.seen&attrData != 0 && p.seen&attrBase64 != 0:
		return invalid("it has both data and data_base64")
	case p.seen&(attrData|attrBase64) == 0:
		return invalid("data is missing")
	case p.seen&attrBase64 == 0 && p.recorded:
		e.Data = p.data
		return nil
	case p.seen&attrBase64 == 0:
		e.Data = append(make([]byte, 0, len(p.data)), p.data...) // the caller may use its buffer again
		return nil
	}
	return p.decode()
}

func (p *parts) decode() error {
	e := &p.event
	e.Data = make([]byte, base64.StdEncoding.DecodedLen(len(p.base64)))
	n, err := base64.StdEncoding.Decode(e.Data, p.base64)
	if err != nil {
		return invalid("data_base64: %s", err)
	}
	e.Data = e.Data[:n]
	return nil
}

// member takes one member of the envelope.
func (p *parts) member(name []byte, c *cursor) error {
	bit, err := p.attribute(name, c)
	if err != nil {
		return err
	}
	if bit == 0 {
		return p.extension(name, c)
	}
	if p.seen&bit != 0 {
		return invalid("%s stands there twice", name)
	}
	p.seen |= bit
	return nil
}

// attribute takes one that the specification names, and gives its bit.
func (p *parts) attribute(name []byte, c *cursor) (bit uint16, err error) {
	e := &p.event
	switch string(name) {
	case "id":
		e.ID, err = c.text(name)
		return attrID, err
	case "source":
		if e.Source, err = c.text(name); err == nil {
			e.Source, err = source(e.Source)
		}
		return attrSource, err
	case "type":
		e.Type, err = c.text(name)
		return attrType, err
	case "time":
		e.Time, err = c.time(name)
		return attrTime, err
	case "subject":
		e.Subject, err = c.subject(name)
		return attrSubject, err
	case "specversion":
		return attrVersion, c.version(name)
	case "datacontenttype":
		return attrContent, c.contentType(name)
	case "dataschema":
		return attrSchema, c.dataSchema(name)
	case "data":
		p.data, err = c.nested()
		return attrData, err
	case "data_base64":
		p.base64, err = c.bytes(name)
		return attrBase64, err
	}
	return 0, nil
}

// extension steps over an attribute that is not known here.
func (p *parts) extension(name []byte, c *cursor) error {
	if len(name) == 0 {
		return invalid("an attribute has no name")
	}
	for _, b := range name {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') {
			return invalid("attribute %s: names are of lower-case letters and digits", quote(string(name)))
		}
	}
	const most = 64
	if len(p.extensions) == most {
		return invalid("more than %d extension attributes", most)
	}
	for _, other := range p.extensions {
		if string(other) == string(name) {
			return invalid("%s stands there twice", quote(string(name)))
		}
	}
	p.extensions = append(p.extensions, name)
	if p.recorded {
		if mine, err := p.mark(name, c); mine {
			return err
		}
	}
	return c.scalar(name)
}

// source gives a URI reference in the form in which the SDK keeps it.
func source(text string) (string, error) {
	if plainPath(text) {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", invalid("source %s is no URI reference", quote(text))
	}
	return u.String(), nil
}

// plainPath finds the usual sources, "/<cluster>/<node>/<collector>", which
// need no parsing.
func plainPath(text string) bool {
	if len(text) < 2 || text[0] != '/' || text[1] == '/' {
		return false
	}
	for i := range len(text) {
		switch b := text[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '/', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return true
}

func (c *cursor) version(name []byte) error {
	v, err := c.bytes(name)
	if err == nil && string(v) != "1.0" {
		err = invalid("specversion %s: want 1.0", quote(string(v)))
	}
	return err
}

func (c *cursor) time(name []byte) (time.Time, error) {
	text, err := c.bytes(name)
	if err != nil {
		return time.Time{}, err
	}
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return t, invalid("time %s: want RFC 3339, such as 2006-01-02T15:04:05Z", quote(string(text)))
	}
	return t.UTC(), nil
}

// subject may be null or empty, which both mean none.
func (c *cursor) subject(name []byte) (string, error) {
	if c.word("null") {
		return "", nil
	}
	text, err := c.text(name)
	if err == nil && text != "" && strings.TrimSpace(text) == "" {
		err = invalid("subject is blank")
	}
	return text, err
}

// contentType must be one that all readers know for JSON, in small letters.
func (c *cursor) contentType(name []byte) error {
	raw, err := c.bytes(name)
	if err != nil || string(raw) == "application/json" {
		return err
	}
	text := string(raw)
	media, _, more := strings.Cut(text, ";")
	if more {
		media = strings.TrimSpace(media)
	}
	if _, _, err := mime.ParseMediaType(text); err != nil || media != "application/json" && media != "text/json" {
		return invalid("datacontenttype %s: want application/json", quote(text))
	}
	return nil
}

func (c *cursor) dataSchema(name []byte) error {
	text, err := c.text(name)
	if err != nil {
		return err
	}
	if u, err := url.Parse(text); err != nil || !u.IsAbs() {
		return invalid("dataschema %s is no absolute URI", quote(text))
	}
	return nil
}
