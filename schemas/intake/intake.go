// Package intake says which events are taken: it refuses what two readers
// could read differently, and what is too large to be worked on.
//
// JSON leaves open what an object with the same key twice means, and readers
// differ: one takes the first, one the last. An event that a condition reads
// one way and an action another would contain the wrong thing. So [Strict]
// lets nothing pass that is not read alike by all.
//
// It does not know the schemas: a field of the wrong type is for the
// conditions that read it. It keeps nothing and may be called at once by many.
//
// Start with [Event]; [Decode] then reads the data.
package intake

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"firebreak/schemas"
)

// Limits of the data of one event.
const (
	MaxBytes  = 1 << 20
	MaxKeys   = 10_000 // of all its objects together
	MaxLevels = 64     // objects and lists within one another
	MaxDigits = 1024   // characters of one number
)

// MaxAttribute is the length in bytes of each of id, source, type and subject.
const MaxAttribute = 1024

// Times from before or after cannot be counted in nanoseconds.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Event checks the attributes of an event, and its data with [Strict]. The
// error wraps schemas.ErrInvalid.
func Event(e schemas.Event) error {
	for _, a := range [...]struct {
		name, value string
		needed      bool
	}{{"id", e.ID, true}, {"source", e.Source, true}, {"type", e.Type, true}, {"subject", e.Subject, false}} {
		if err := attribute(a.name, a.value, a.needed); err != nil {
			return err
		}
	}
	if e.Time.Before(earliest) || !e.Time.Before(latest) {
		return fmt.Errorf("time %s: %w: want one from 1970 to 2261", e.Time.UTC().Format(time.RFC3339), schemas.ErrInvalid)
	}
	return Strict(e.Data)
}

func attribute(name, value string, needed bool) error {
	switch {
	case value == "" && needed:
		return fmt.Errorf("%s: %w: it is empty", name, schemas.ErrInvalid)
	case len(value) > MaxAttribute:
		return fmt.Errorf("%s: %w: %d bytes, at most %d are taken", name, schemas.ErrInvalid, len(value), MaxAttribute)
	case plainText(value):
		return nil
	case !utf8.ValidString(value):
		return fmt.Errorf("%s %q: %w: it is not UTF-8", name, cut(value), schemas.ErrInvalid)
	}
	for _, r := range value {
		if unicode.IsControl(r) {
			return fmt.Errorf("%s %q: %w: it holds the control character %U", name, cut(value), schemas.ErrInvalid, r)
		}
	}
	return nil
}

// plainText says whether all characters are printable ones of ASCII, as they
// nearly always are.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// cut shortens what is quoted in an error.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
