package decode

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// Options are what a body does not say of itself.
type Options struct {
	Source  string    // CloudEvents source of the events; Harbor's bring their own
	Time    time.Time // when the body came in: the time of events that carry none; zero: such events are errors
	MaxData int       // most bytes of an event's data; 0: DefaultMaxData
}

// ErrNoImage is wrapped by errors about bodies that are well formed but tell of
// no image, such as the scan of a folder: a collector may pass over them.
var ErrNoImage = errors.New("no image")

// DefaultMaxData leaves room for headers in a message of 1 MiB, the most that
// the log takes.
const DefaultMaxData = 1<<20 - 64<<10

func (o Options) most() int {
	if o.MaxData > 0 {
		return o.MaxData
	}
	return DefaultMaxData
}

// event makes an event and holds it to what every event is held to.
func (o Options) event(typ, id, subject string, at time.Time, data any) (schemas.Event, error) {
	if at.IsZero() {
		at = o.Time
	}
	switch {
	case id == "":
		return schemas.Event{}, invalid("it has no id")
	case o.Source == "":
		return schemas.Event{}, invalid("it names no source, and none was given")
	case at.IsZero():
		return schemas.Event{}, invalid("it does not say when it happened, and no time was given instead")
	}
	e, err := schemas.NewEvent(typ, o.Source, id, subject, at, data)
	if err != nil {
		return schemas.Event{}, fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	if len(e.Data) > o.most() {
		return schemas.Event{}, invalid("its data would be %d bytes, more than the %d that are allowed", len(e.Data), o.most())
	}
	if err := intake.Event(e); err != nil {
		return schemas.Event{}, err
	}
	return e, nil
}

// invalid makes an error about a body that is not what it should be.
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

// fingerprint names what has no id of its own by its content.
func fingerprint(parts ...string) string {
	hash := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(hash, "%d:%s", len(p), p) // a hash takes everything
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// problems gathers what was wrong with parts of a body. A body of a million
// bad parts must not make an error of a million lines.
type problems struct {
	first []error
	more  int
}

const mostProblems = 10

// add notes an error, if it is one.
func (p *problems) add(err error) {
	switch {
	case err == nil:
	case len(p.first) < mostProblems:
		p.first = append(p.first, err)
	default:
		p.more++
	}
}

// err is all of it as one error, or nil.
func (p *problems) err() error {
	if p.more > 0 {
		return fmt.Errorf("%w\nand %d more", errors.Join(p.first...), p.more)
	}
	return errors.Join(p.first...)
}
