package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Prefix stands before the type of every event of our own. Playbooks leave it off.
const Prefix = "firebreak."

// Event is a CloudEvent 1.0 as Firebreak carries it, with JSON data.
//
// The attributes travel in headers (binary mode), the data as the message.
// Writer, Seq and Stored say where the log holds the event and are zero until
// it is stored.
type Event struct {
	ID      string          // CloudEvents id; with Source it names the event, and a second publish of the pair is dropped
	Source  string          // CloudEvents source: "/<cluster>/<node>/<collector>"
	Type    string          // "firebreak.<arena>.<noun>.<verb past>", or a foreign type
	Subject string          // CloudEvents subject: the entity the event is about, such as a container's id
	Time    time.Time       // when it happened, by the clock of the source
	Data    json.RawMessage // a JSON object

	Writer string    // whose subject it was published under
	Seq    uint64    // sequence in EVENTS
	Stored time.Time // when EVENTS took it, by the clock of the bus
}

// ErrInvalid is wrapped by every error about malformed events and records.
var ErrInvalid = errors.New("invalid")

// ErrAbsent is wrapped where what was asked for by its name or place is not there.
var ErrAbsent = errors.New("not there")

// NewEvent makes an event whose data is the JSON of data.
func NewEvent(typ, source, id, subject string, at time.Time, data any) (Event, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("data of %s: %w", typ, err)
	}
	return Event{ID: id, Source: source, Type: typ, Subject: subject, Time: at.UTC(), Data: raw}, nil
}

// CloudEvent gives the event as the SDK's type, checked by the SDK's rules.
func (e Event) CloudEvent() (cloudevents.Event, error) {
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	ce.SetID(e.ID)
	ce.SetSource(e.Source)
	ce.SetType(e.Type)
	if e.Subject != "" {
		ce.SetSubject(e.Subject)
	}
	ce.SetTime(e.Time)
	if err := ce.SetData(cloudevents.ApplicationJSON, e.Data); err != nil {
		return ce, fmt.Errorf("event %s: %w: %w", e.ID, ErrInvalid, err)
	}
	if err := ce.Validate(); err != nil {
		return ce, fmt.Errorf("event %s: %w: %w", e.ID, ErrInvalid, err)
	}
	return ce, nil
}

// FromCloudEvent takes an event from the SDK's type.
func FromCloudEvent(ce cloudevents.Event) (Event, error) {
	if err := ce.Validate(); err != nil {
		return Event{}, fmt.Errorf("CloudEvent: %w: %w", ErrInvalid, err)
	}
	return Event{
		ID: ce.ID(), Source: ce.Source(), Type: ce.Type(), Subject: ce.Subject(),
		Time: ce.Time().UTC(), Data: json.RawMessage(ce.Data()),
	}, nil
}

// ShortType is the type as playbooks write it: ours without the prefix.
func (e Event) ShortType() string { return ShortType(e.Type) }

// Arena is the first word of the short type ("runtime", "system", …), or
// "foreign" for types that are not ours.
func (e Event) Arena() string {
	if !strings.HasPrefix(e.Type, Prefix) {
		return "foreign"
	}
	arena, _, _ := strings.Cut(e.ShortType(), ".")
	return arena
}

// Key names an event across all sources; it is the message id that makes a
// second publish harmless.
func (e Event) Key() string { return e.Source + "\n" + e.ID }
