package bus

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"firebreak/schemas"
)

// Headers of the CloudEvents NATS binding in binary mode. They are written as
// they stand: NATS headers know no canonical case.
const (
	headSpec    = "ce-specversion"
	headID      = "ce-id"
	headSource  = "ce-source"
	headType    = "ce-type"
	headSubject = "ce-subject"
	headTime    = "ce-time"
	headContent = "content-type"

	headWriter    = "ce-writer" // extensions of a ledger's record
	headPrev      = "ce-prev"
	headSignature = "ce-signature"

	specVersion = "1.0"
	jsonContent = "application/json"
)

// message is one message of a store, however it was read.
type message struct {
	subject string
	header  nats.Header
	data    []byte
	seq     uint64
	stored  time.Time
}

// encodeEvent makes the message of an event.
func encodeEvent(subject string, e schemas.Event) (*nats.Msg, error) {
	if e.ID == "" || e.Source == "" || e.Type == "" {
		return nil, fmt.Errorf("event %q of %q: %w: id, source and type are needed", e.ID, e.Source, schemas.ErrInvalid)
	}
	if len(e.Data) == 0 || e.Data[0] != '{' {
		return nil, fmt.Errorf("event %q of %q: %w: its data must be a JSON object", e.ID, e.Source, schemas.ErrInvalid)
	}
	h := cloudHeader(e.ID, e.Source, e.Type, e.Time)
	if e.Subject != "" {
		h[headSubject] = []string{escape(e.Subject)}
	}
	return &nats.Msg{Subject: subject, Header: h, Data: e.Data}, nil
}

func cloudHeader(id, source, typ string, at time.Time) nats.Header {
	h := make(nats.Header, 12)
	h[headSpec] = []string{specVersion}
	h[headID] = []string{escape(id)}
	h[headSource] = []string{escape(source)}
	h[headType] = []string{escape(typ)}
	h[headContent] = []string{jsonContent}
	if !at.IsZero() {
		h[headTime] = []string{at.UTC().Format(time.RFC3339Nano)}
	}
	return h
}

// decodeEvent reads an event of EVENTS.
func decodeEvent(m message) (schemas.Event, error) {
	writer, err := eventWriter(m.subject)
	if err != nil {
		return schemas.Event{}, err
	}
	e := schemas.Event{Data: m.data, Writer: writer, Seq: m.seq, Stored: m.stored}
	if err := decodeCloud(m.header, &e.ID, &e.Source, &e.Type, &e.Time); err != nil {
		return schemas.Event{}, fmt.Errorf("%s: %w", m.subject, err)
	}
	if e.Subject, err = unescape(first(m.header, headSubject)); err != nil {
		return schemas.Event{}, fmt.Errorf("%s: %w", m.subject, err)
	}
	return e, nil
}

// eventWriter is schemas.EventWriter without an allocation for the writers
// whose name is their token.
func eventWriter(subject string) (string, error) {
	rest, ours := strings.CutPrefix(subject, eventsSpace)
	_, rest, _ = strings.Cut(rest, ".")
	writer, _, more := strings.Cut(rest, ".")
	if !ours || !more || writer == "" || strings.Contains(writer, "=") {
		return schemas.EventWriter(subject)
	}
	return writer, nil
}

func decodeCloud(h nats.Header, id, source, typ *string, at *time.Time) error {
	if v := first(h, headSpec); v != specVersion {
		return fmt.Errorf("CloudEvent of version %q: %w: want %s", v, schemas.ErrInvalid, specVersion)
	}
	for _, attribute := range [...]struct {
		name string
		into *string
	}{{headID, id}, {headSource, source}, {headType, typ}} {
		v, err := unescape(first(h, attribute.name))
		if err != nil {
			return err
		}
		if v == "" {
			return fmt.Errorf("CloudEvent: %w: no %s", schemas.ErrInvalid, attribute.name)
		}
		*attribute.into = v
	}
	if v := first(h, headTime); v != "" {
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return fmt.Errorf("CloudEvent: time: %w: %w", schemas.ErrInvalid, err)
		}
		*at = t.UTC()
	}
	return nil
}

// encodeRecord makes the message of a signed record.
func encodeRecord(r schemas.Record) *nats.Msg {
	h := cloudHeader(r.ID, r.Source(), r.Type(), r.Time)
	h[headWriter] = []string{r.Writer}
	h[headSignature] = []string{r.Signature}
	if r.Prev != "" {
		h[headPrev] = []string{r.Prev}
	}
	return &nats.Msg{Subject: r.Subject(), Header: h, Data: r.Data}
}

// decodeRecord reads a record of LEDGER. Its signature is not looked at here.
func decodeRecord(m message) (schemas.Record, error) {
	r, err := schemas.ParseRecordSubject(m.subject)
	if err != nil {
		return schemas.Record{}, err
	}
	if r.Subject() != m.subject {
		return schemas.Record{}, fmt.Errorf("subject %q: %w: it is another way to write %s", m.subject, schemas.ErrInvalid, r.Subject())
	}
	var source, typ string
	if err := decodeCloud(m.header, &r.ID, &source, &typ, &r.Time); err != nil {
		return schemas.Record{}, fmt.Errorf("%s: %w", m.subject, err)
	}
	if typ != r.Type() || source != r.Source() {
		return schemas.Record{}, fmt.Errorf("%s: %w: its type %q or source %q is not that of its subject", m.subject, schemas.ErrInvalid, typ, source)
	}
	r.Writer, r.Prev, r.Signature = first(m.header, headWriter), first(m.header, headPrev), first(m.header, headSignature)
	r.Data, r.Seq, r.Stored = m.data, m.seq, m.stored
	return r, nil
}

func first(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// escape writes a header's value as the binding wants it: what is no visible
// ASCII, and the space, quote and percent sign, percent-encoded.
func escape(s string) string {
	plain := true
	for i := range len(s) {
		if !visible(s[i]) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if visible(s[i]) {
			b.WriteByte(s[i])
			continue
		}
		const hex = "0123456789ABCDEF"
		b.WriteByte('%')
		b.WriteByte(hex[s[i]>>4])
		b.WriteByte(hex[s[i]&15])
	}
	return b.String()
}

func visible(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '%' }

// unescape takes escape back.
func unescape(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("header value %q: %w: cut escape", s, schemas.ErrInvalid)
		}
		hi, lo := nibble(s[i+1]), nibble(s[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("header value %q: %w: bad escape", s, schemas.ErrInvalid)
		}
		b.WriteByte(byte(hi<<4 | lo)) //nolint:gosec // two hexadecimal digits
		i += 2
	}
	return b.String(), nil
}

func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	default:
		return -1
	}
}
