package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a time.Duration that is written as text ("15m0s") in JSON.
type Duration time.Duration

// MarshalJSON writes the duration as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads what [time.ParseDuration] takes.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration: %w: want text such as \"15m\"", ErrInvalid)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("duration %q: %w: want text such as \"15m\"", s, ErrInvalid)
	}
	*d = Duration(v)
	return nil
}

// String gives the duration as [time.Duration.String] does.
func (d Duration) String() string { return time.Duration(d).String() }

// IsZero lets omitzero leave it out.
func (d Duration) IsZero() bool { return d == 0 }
