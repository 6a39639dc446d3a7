package intake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/schemas/intake"
)

// nested is v within so many lists, in an object.
func nested(levels int) string {
	return `{"a":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + `}`
}

// keys is an object with so many keys.
func keys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestStrict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, data, refused string }{
		{name: "empty object", data: `{}`},
		{name: "spaces", data: " \t\r\n{ \"a\" : [ ] , \"b\" : { } } \n"},
		{name: "all kinds", data: `{"a":null,"b":true,"c":false,"d":-0.5e-3,"e":"x","f":[1,[],{}],"g":{"a":{"a":1}}}`},
		{name: "the same key elsewhere", data: `{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":1}],"x":1}`},
		{name: "a key that a nested object had", data: `{"a":{"b":1},"b":2}`},
		{name: "escapes", data: `{"a\n\"\\\/\b\f\r\t\u00e9":"\uD83D\uDE00\u0000"}`},
		{name: "most levels", data: nested(intake.MaxLevels)},
		{name: "most keys", data: keys(intake.MaxKeys)},
		{name: "largest number", data: `{"a":1.7976931348623157e308,"b":1e-999,"c":0e999}`},
		{name: "many digits", data: `{"a":` + strings.Repeat("1", 308) + `,"b":` + strings.Repeat("9", 200) + `e99}`},
		{name: "most bytes", data: `{"a":"` + strings.Repeat("x", intake.MaxBytes-8) + `"}`},

		{"nothing", ``, "byte 0: invalid: want an object"},
		{"a list", `[]`, "want an object"},
		{"null", `null`, "want an object"},
		{"two objects", `{}{}`, "byte 2: invalid: something follows the object"},
		{"no end", `{"a":1`, "want a comma or } in the object"},
		{"no end of a list", `{"a":[1`, "want a comma or ] in the list"},
		{"wrong end", `{"a":[1}`, "want a comma or ] in the list"},
		{"trailing comma", `{"a":1,}`, "want a key in quotes"},
		{"trailing comma in a list", `{"a":[1,]}`, "want a value"},
		{"no colon", `{"a" 1}`, "want a colon after the key"},
		{"no value", `{"a":}`, `byte 5 at "a": invalid: want a value`},
		{"a key twice", `{"a":{"b":1,"c":[{"d":1,"d":2}]}}`, `at "a"."c".[…]."d": invalid: the key stands in its object twice`},
		{"a key twice, once escaped", `{"a":1,"\u0061":2}`, "twice"},
		{"a key twice, both escaped", `{"\u00e9\/":1,"é/":2}`, "twice"},
		{"a long key twice", `{"container.image.name":1,"container.image.name":2}`, "twice"},
		{"an empty key twice", `{"":1,"":2}`, "twice"},
		{"a key twice among many", keys(200)[:len(keys(200))-1] + `,"k7":0}`, `at "k7": invalid: the key stands`},
		{"a key twice among many, later on", keys(200)[:len(keys(200))-1] + `,"k\u0031\u00399":0}`, `at "k199"`},
		{"too many levels", nested(intake.MaxLevels + 1), "more than 64 levels"},
		{"too many keys", keys(intake.MaxKeys + 1), "more than 10000 keys"},
		{"too many bytes", `{"a":"` + strings.Repeat("x", intake.MaxBytes-7) + `"}`, "1048577 bytes, at most 1048576"},
		{"not UTF-8", "{\"a\":\"x\xff\"}", "byte 7 at \"a\": invalid: it is not UTF-8"},
		{"a key that is not UTF-8", "{\"\xc0\x80\":1}", "it is not UTF-8"},
		{"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "it is not UTF-8"},
		{"first half of a pair", `{"a":"\ud800"}`, "surrogate"},
		{"second half of a pair", `{"a":"\udc00"}`, "surrogate"},
		{"two first halves", `{"a":"\ud800\ud800"}`, "surrogate"},
		{"half of a pair and text", `{"a":"\ud800xxxxxx"}`, "surrogate"},
		{"an unknown escape", `{"a":"\x"}`, "escape"},
		{"an escape cut short", `{"a":"\u12"}`, "escape"},
		{"an escape at the end", `{"a":"\`, "escape"},
		{"a newline in a text", "{\"a\":\"\n\"}", "control character"},
		{"a zero byte in a text", "{\"a\":\"12345678\x00\"}", "control character"},
		{"a zero byte outside", "{\x00}", "want a key"},
		{"a text without end", `{"a":"xxxxxxxxxxxxxxxxxxx`, "no end"},
		{"too large a number", `{"a":1e999}`, "the number is too large"},
		{"too large a number without an exponent", `{"a":-` + strings.Repeat("9", 310) + `}`, "too large"},
		{"too large a number with a small exponent", `{"a":` + strings.Repeat("9", 250) + `e60}`, "too large"},
		{"a very long number", `{"a":0.` + strings.Repeat("0", intake.MaxDigits) + `}`, "more than 1024 characters"},
		{"NaN", `{"a":NaN}`, "want a value"},
		{"Infinity", `{"a":-Infinity}`, "want a value"},
		{"leading zero", `{"a":01}`, "want a comma"},
		{"plus", `{"a":+1}`, "want a value"},
		{"no digit after the point", `{"a":1.}`, "digit after the point"},
		{"no digit in the exponent", `{"a":1e+}`, "digit in the exponent"},
		{"a word cut short", `{"a":tru`, "want a value"},
		{"a word too long", `{"a":truex}`, "want a comma"},
		{"a byte order mark", "\ufeff{}", "want an object"},
		{"another kind of space", "{\u00a0}", "want a key"},
		{"a comment", `{"a":1/**/}`, "want a comma"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := intake.Strict([]byte(tt.data))
			switch {
			case tt.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refused == "":
				agree(t, []byte(tt.data))
			case err == nil || !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), tt.refused):
				t.Errorf("got %v, want a refusal with %q of the class ErrInvalid", err, tt.refused)
			}
		})
	}
}

func TestErrorIsShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 100_000)
	data := strings.Repeat(`{"`+long+`":`, 9) + `1e999` + strings.Repeat("}", 9)
	err := intake.Strict([]byte(data))
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("got %v, want an error below 1000 characters", err)
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	good := schemas.Event{
		ID: "1", Source: "/lab/n1/collector", Type: schemas.Heartbeat, Subject: "é",
		Time: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), Data: []byte(`{"a":1}`),
	}
	long := strings.Repeat("x", intake.MaxAttribute)
	for _, tt := range []struct {
		name    string
		change  func(*schemas.Event)
		refused string
	}{
		{"as it is", func(*schemas.Event) {}, ""},
		{"without a subject", func(e *schemas.Event) { e.Subject = "" }, ""},
		{"long id", func(e *schemas.Event) { e.ID = long }, ""},
		{"the first moment", func(e *schemas.Event) { e.Time = time.Unix(0, 0) }, ""},
		{"no id", func(e *schemas.Event) { e.ID = "" }, "id: invalid: it is empty"},
		{"no source", func(e *schemas.Event) { e.Source = "" }, "source: invalid: it is empty"},
		{"no type", func(e *schemas.Event) { e.Type = "" }, "type: invalid: it is empty"},
		{"too long a subject", func(e *schemas.Event) { e.Subject = long + "x" }, "subject: invalid: 1025 bytes, at most 1024"},
		{"a newline in the id", func(e *schemas.Event) { e.ID = "a\nb" }, `id "a\nb": invalid: it holds the control character U+000A`},
		{"a control character beyond ASCII", func(e *schemas.Event) { e.Source = "a\u0085" }, "U+0085"},
		{"DEL", func(e *schemas.Event) { e.Type = "a\x7f" }, "U+007F"},
		{"not UTF-8", func(e *schemas.Event) { e.Subject = "\xff" }, `subject "\xff": invalid: it is not UTF-8`},
		{"no time", func(e *schemas.Event) { e.Time = time.Time{} }, "time 0001-01-01T00:00:00Z: invalid"},
		{"before 1970", func(e *schemas.Event) { e.Time = time.Unix(-1, 0) }, "time 1969-12-31T23:59:59Z: invalid"},
		{"the year 9999", func(e *schemas.Event) { e.Time = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }, "time 9999"},
		{"bad data", func(e *schemas.Event) { e.Data = []byte(`{"a":1,"a":2}`) }, "twice"},
		{"no data", func(e *schemas.Event) { e.Data = nil }, "want an object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := good
			tt.change(&e)
			err := intake.Event(e)
			switch {
			case tt.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refused != "" && (err == nil || !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), tt.refused)):
				t.Errorf("got %v, want a refusal with %q of the class ErrInvalid", err, tt.refused)
			}
		})
	}
}
