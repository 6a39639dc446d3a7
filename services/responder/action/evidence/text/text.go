// Package text writes down names of which nobody promised that they are text.
//
// Start with [Text].
package text

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Text is any bytes. As JSON it is a string where it is UTF-8, and otherwise
// {"base64": "…"}: two different names never become the same.
type Text string

type encoded struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON gives its form in an artefact.
func (t Text) MarshalJSON() ([]byte, error) {
	var v any = string(t)
	if !utf8.ValidString(string(t)) {
		v = encoded{[]byte(t)}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads that form.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*t = Text(s)
		return nil
	}
	var e encoded
	if err := json.Unmarshal(b, &e); err != nil {
		return fmt.Errorf("text: want a string or {\"base64\": …}: %w", err)
	}
	*t = Text(e.Base64)
	return nil
}

// Short is it for a sentence: quoted, and cut in its middle.
func (t Text) Short() string {
	const most = 120
	if len(t) > most {
		return fmt.Sprintf("%q…%q", string(t[:most/2]), string(t[len(t)-most/2:]))
	}
	return fmt.Sprintf("%q", string(t))
}
