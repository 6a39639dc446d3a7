package intake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"unicode/utf8"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// agree fails the test unless encoding/json reads the data as Decode does, and
// finds no key twice.
func agree(t *testing.T, data []byte) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatalf("accepted, but encoding/json says %v: %q", err, data)
	}
	if reason := oracle(data); reason != "" {
		t.Fatalf("accepted, but %s: %q", reason, data)
	}
	got, err := intake.Decode(data)
	if err != nil {
		t.Fatalf("decode: %v: %q", err, data)
	}
	// cmp compares lists within lists in a time that doubles with each.
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("decoded as %v, want %v, from %q", got, want, data)
	}
}

// oracle says in another way why data must be refused; "" when it need not.
func oracle(data []byte) string {
	var object map[string]any
	switch {
	case len(data) > intake.MaxBytes:
		return "it is too long"
	case !utf8.Valid(data):
		return "it is not UTF-8"
	case json.Unmarshal(data, &object) != nil || object == nil:
		return "it is no object"
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	w := walker{dec: dec, data: data}
	return w.value(0)
}

type walker struct {
	dec  *json.Decoder
	data []byte
	keys int
}

// value walks over one value by its tokens.
func (w *walker) value(depth int) string {
	before := w.dec.InputOffset()
	token, err := w.dec.Token()
	if err != nil {
		return err.Error()
	}
	switch token := token.(type) {
	case json.Delim:
		if depth == intake.MaxLevels {
			return "it is too deep"
		}
		return w.inside(token, depth+1)
	case json.Number:
		if len(token) > intake.MaxDigits {
			return "a number is too long"
		}
	case string:
		return w.text(token, before)
	}
	return ""
}

func (w *walker) inside(open json.Delim, depth int) string {
	seen := map[string]bool{}
	for w.dec.More() {
		if open == '{' {
			before := w.dec.InputOffset()
			token, err := w.dec.Token()
			name, ok := token.(string)
			w.keys++
			switch {
			case err != nil || !ok:
				return "no key"
			case seen[name]:
				return "a key stands twice"
			case w.keys > intake.MaxKeys:
				return "it has too many keys"
			}
			seen[name] = true
			if reason := w.text(name, before); reason != "" {
				return reason
			}
		}
		if reason := w.value(depth); reason != "" {
			return reason
		}
	}
	if _, err := w.dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return ""
}

// text looks for halves of surrogate pairs: encoding/json reads each as U+FFFD,
// which the data otherwise must hold itself.
func (w *walker) text(decoded string, before int64) string {
	raw := w.data[before:w.dec.InputOffset()]
	is := bytes.Count([]byte(decoded), []byte("\ufffd"))
	written := bytes.Count(raw, []byte("\ufffd")) + bytes.Count(escapedSlashes(raw), []byte(`\ufffd`))
	if is != written {
		return "a text holds half of a surrogate pair"
	}
	return ""
}

// escapedSlashes takes \\ out and writes escapes alike.
func escapedSlashes(raw []byte) []byte {
	return bytes.ToLower(bytes.ReplaceAll(raw, []byte(`\\`), []byte("--")))
}

// same checks that Strict and the oracle agree, and what Decode makes of it.
func same(t *testing.T, data []byte) {
	t.Helper()
	err := intake.Strict(data)
	if reason := oracle(data); (err == nil) != (reason == "") {
		t.Fatalf("Strict says %v, the oracle %q: %q", err, reason, data)
	}
	if err == nil {
		agree(t, data)
		return
	}
	if !errors.Is(err, schemas.ErrInvalid) {
		t.Fatalf("%v is not of the class ErrInvalid", err)
	}
	if _, err := intake.Decode(data); err != nil && !errors.Is(err, schemas.ErrInvalid) {
		t.Fatalf("%v is not of the class ErrInvalid", err)
	}
}

var seeds = []string{
	`{}`, `{"a":1,"\u0061":2}`, `{"a":{"b":[1,2,{"c":"\ud83d\ude00"}]},"d":null,"e":true,"f":-1.5e3}`,
	"{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{"a":"\ud800\u0041\udc00"}`, `{"a":1e999}`, `{"\\u0061":1,"\\":2}`, "{\"é\u2028\":\"\\ufffd�\"}",
	nested(64), nested(65), keys(30), `{"a":[],"b":{},"c":[[],{}]} `, `{"a":"0123456789abcdef\u001f\n"}`,
}

func FuzzStrict(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { same(t, data) })
}

// TestMutations walks from good data to nearly good data: parts are taken out,
// doubled, exchanged.
func TestMutations(t *testing.T) {
	t.Parallel()
	parts := []string{
		`"`, `\`, `\u0061`, `\ud83d`, `\ude00`, `{`, `}`, `[`, `]`, `:`, `,`, ` `, "\n", "\x00", "\x1f", "\xff", "é", "😀", `"a"`, `"\u0061":1,`, `"a":1,`,
		`0`, `-`, `.`, `e`, `1e308`, `1e309`, `null`, `true`, `0123456789`, "\u2028", "\ufffd", `\ufffd`,
	}
	rnd := rand.New(rand.NewPCG(4, 4))
	accepted := 0
	for range 40_000 {
		data := []byte(seeds[rnd.IntN(len(seeds))])
		for range 1 + rnd.IntN(3) {
			at := rnd.IntN(len(data) + 1)
			end := min(len(data), at+rnd.IntN(3))
			part := parts[rnd.IntN(len(parts))]
			if rnd.IntN(4) == 0 {
				from := rnd.IntN(len(data) + 1)
				part = string(data[from:min(len(data), from+rnd.IntN(20))])
			}
			data = append(append(bytes.Clone(data[:at]), part...), data[end:]...)
		}
		same(t, data)
		if intake.Strict(data) == nil {
			accepted++
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d were accepted: the mutations are too wild to tell anything", accepted)
	}
}
