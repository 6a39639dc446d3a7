package spool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"firebreak/schemas"
)

// line is an event as it lies in a segment.
type line struct {
	ID      string          `json:"id"`
	Source  string          `json:"source"`
	Type    string          `json:"type"`
	Subject string          `json:"subject,omitempty"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data"`
}

// encode gives the event's line with its newline. HTML stays unescaped, so
// that the data keeps its bytes; only white space between JSON tokens goes.
func encode(e schemas.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(line{ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time, Data: e.Data})
	if err != nil {
		return nil, fmt.Errorf("spool event %s: %w: %w", e.ID, schemas.ErrInvalid, err)
	}
	return b.Bytes(), nil
}

// decode takes a line back. The newline may be there or not.
func decode(raw []byte) (schemas.Event, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return schemas.Event{}, fmt.Errorf("spooled line: %w: %w", schemas.ErrInvalid, err)
	}
	if l.ID == "" || l.Source == "" || l.Type == "" {
		return schemas.Event{}, fmt.Errorf("spooled line: %w: no id, source or type", schemas.ErrInvalid)
	}
	return schemas.Event{ID: l.ID, Source: l.Source, Type: l.Type, Subject: l.Subject, Time: l.Time, Data: l.Data}, nil
}
