package decode

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// The extension attributes under which an event that was taken from the log
// carries what the log knows of it. The sequence is a text: whole numbers of
// CloudEvents end at 32 bits.
const (
	markSeq    = "fbseq"
	markStored = "fbstored"
	markWriter = "fbwriter"
)

// mostWriter bounds the name of a writer.
const mostWriter = 256

// Recorded reads a CloudEvent as [CloudEvents] does, but believes what it says
// of its place in the log: the extension attributes fbseq, fbstored and
// fbwriter, as [AppendRecorded] writes them. An event that has them was taken
// by the log, so its data is not looked at here: whoever reads it must.
//
// It is for what people hand in from a file, never for what strangers send: an
// event must not choose its writer. The event's data is a part of the input.
func Recorded(data []byte) (schemas.Event, error) {
	p := parts{recorded: true}
	err := p.envelope(data)
	switch e := &p.event; {
	case err != nil:
	case (e.Seq == 0) != e.Stored.IsZero():
		err = invalid("%s and %s go together", markSeq, markStored)
	case e.Writer != "" && e.Seq == 0:
		err = invalid("%s goes with %s and %s", markWriter, markSeq, markStored)
	case e.Seq == 0:
		err = intake.Event(*e)
	}
	return p.taken(err)
}

// RecordedBatch reads a list of such events, as [Batch] does.
func RecordedBatch(data []byte) ([]schemas.Event, error) {
	return each("batch of CloudEvents", data, Recorded)
}

// mark takes an attribute that the log has given; false for any other.
func (p *parts) mark(name []byte, c *cursor) (mine bool, err error) {
	e := &p.event
	switch string(name) {
	case markSeq:
		text, err := c.bytes(name)
		if err != nil {
			return true, err
		}
		if e.Seq, err = strconv.ParseUint(string(text), 10, 64); err != nil || e.Seq == 0 {
			return true, invalid("%s %s: want a number from 1 on, as a text", name, quote(string(text)))
		}
		return true, nil
	case markStored:
		e.Stored, err = c.time(name)
		if err == nil && e.Stored.IsZero() {
			err = invalid("%s is the zero time", name)
		}
		return true, err
	case markWriter:
		if e.Writer, err = c.text(name); err == nil && len(e.Writer) > mostWriter {
			err = invalid("%s: %d bytes, at most %d are taken", name, len(e.Writer), mostWriter)
		}
		return true, err
	}
	return false, nil
}

// AppendRecorded writes an event of the log as a structured CloudEvent on one
// line, with its place in the log.
func AppendRecorded(dst []byte, e schemas.Event) ([]byte, error) {
	head := struct {
		Specversion string     `json:"specversion"`
		ID          string     `json:"id"`
		Source      string     `json:"source"`
		Type        string     `json:"type"`
		Subject     string     `json:"subject,omitempty"`
		Time        time.Time  `json:"time"`
		Seq         string     `json:"fbseq,omitempty"`
		Stored      *time.Time `json:"fbstored,omitempty"`
		Writer      string     `json:"fbwriter,omitempty"`
		Content     string     `json:"datacontenttype"`
	}{
		Specversion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject, Time: e.Time.UTC(), Content: "application/json",
	}
	if e.Seq > 0 {
		at := e.Stored.UTC()
		head.Seq, head.Stored, head.Writer = strconv.FormatUint(e.Seq, 10), &at, e.Writer
	}
	raw, err := json.Marshal(head)
	if err != nil {
		return dst, fmt.Errorf("event %s: %w: %w", quote(e.ID), schemas.ErrInvalid, err)
	}
	dst = append(dst, raw[:len(raw)-1]...)
	data := []byte(e.Data)
	if bytes.ContainsAny(data, "\r\n") && json.Valid(data) { // line breaks can only stand between its members
		var flat bytes.Buffer
		if err := json.Compact(&flat, data); err != nil {
			return dst, fmt.Errorf("event %s: %w: %w", quote(e.ID), schemas.ErrInvalid, err)
		}
		data = flat.Bytes()
	}
	if !begins(data, '{') || !json.Valid(data) { // the log held it; whoever reads it must see the same
		dst = append(dst, `,"data_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, e.Data)
		return append(dst, `"}`...), nil
	}
	dst = append(dst, `,"data":`...)
	dst = append(dst, bytes.TrimSpace(data)...)
	return append(dst, '}'), nil
}
