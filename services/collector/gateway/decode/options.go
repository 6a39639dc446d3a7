package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// Options are what an event of a tool does not say of itself.
type Options struct {
	Source  string    // CloudEvents source of the events
	Time    time.Time // when it came in: the time of events that carry none; zero: such events are errors
	MaxData int       // most bytes of an event's data; 0: DefaultMaxData
}

// DefaultMaxData leaves room for headers in a message of 1 MiB, the most that
// the log takes.
const DefaultMaxData = 1<<20 - 64<<10

// event makes an event and holds it to what every event is held to. The cuts
// make its data smaller, one after the other as far as it is needed.
func (o Options) event(typ, id, subject string, at time.Time, data any, cuts []func()) (schemas.Event, error) {
	if at.IsZero() {
		at = o.Time
	}
	switch {
	case o.Source == "":
		return schemas.Event{}, invalid("no source was given for it")
	case at.IsZero():
		return schemas.Event{}, invalid("it does not say when it happened, and no time was given instead")
	}
	most := o.MaxData
	if most <= 0 {
		most = DefaultMaxData
	}
	e, err := schemas.NewEvent(typ, o.Source, id, subject, at, data)
	for ; err == nil && len(e.Data) > most && len(cuts) > 0; cuts = cuts[1:] {
		cuts[0]()
		e, err = schemas.NewEvent(typ, o.Source, id, subject, at, data)
	}
	if err != nil {
		return schemas.Event{}, fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	if len(e.Data) > most {
		return schemas.Event{}, invalid("its data would be %d bytes, more than the %d that are allowed", len(e.Data), most)
	}
	if err := intake.Event(e); err != nil {
		return schemas.Event{}, err
	}
	return e, nil
}

// invalid makes an error about an event that is not what it should be.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", schemas.ErrInvalid, fmt.Sprintf(format, args...))
}

// quote shows what somebody else wrote, cut short: it goes into logs.
func quote(text string) string {
	const most = 64
	if len(text) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(text[:most], ""))
	}
	return fmt.Sprintf("%q", text)
}

// read decodes one JSON value and leaves numbers as they are written: evt.time
// of Falco counts nanoseconds, which a float would round.
func read(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("there is more behind the end of the value, at byte %d", d.InputOffset())
	}
	return nil
}

// fingerprint names what has no id of its own by its content, whatever the
// order of its members and the space between them.
func fingerprint(content any, more ...string) (string, error) {
	canonical, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	hash := sha256.New()
	for _, part := range append(more, string(canonical)) {
		_, _ = fmt.Fprintf(hash, "%d:%s", len(part), part) // a hash takes everything
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// each hands on the items of a list, or a value that is none as the one item,
// and gathers the events that come of them.
func each(what string, data []byte, one func(raw []byte) (schemas.Event, error)) ([]schemas.Event, error) {
	if !begins(data, '[') {
		e, err := one(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return []schemas.Event{e}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, schemas.ErrInvalid, err)
	}
	var all []schemas.Event
	var bad []error
	for i, raw := range items {
		e, err := one(raw)
		if err == nil {
			all = append(all, e)
			continue
		}
		if len(bad) == mostProblems { // a million bad items must not make a million lines
			bad = append(bad, invalid("%s: there may be more", what))
		}
		if len(bad) < mostProblems {
			bad = append(bad, fmt.Errorf("%s: item [%d]: %w", what, i, err))
		}
	}
	return all, errors.Join(bad...)
}

const mostProblems = 10

// begins tells whether the first thing in data is c.
func begins(data []byte, c byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && data[0] == c
}
