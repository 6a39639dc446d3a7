package decode

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

// head are the attributes that an event needs, without its data.
const head = `"specversion":"1.0","id":"7","source":"/prod/node-7/exec","type":"a.b","time":"2026-03-04T05:06:07.5Z"`

// taken are events in many forms.
var taken = map[string]string{
	"plain":               `{` + head + `,"data":{"a":1}}`,
	"data first":          `{"data":{"a":{"b":["}","{\"",{}]}},` + head + `}`,
	"space":               " {\n\"data\" : { \"a\" : 1 } ,\t" + head + " }\r\n",
	"empty data":          `{` + head + `,"data":{}}`,
	"subject and more":    `{` + head + `,"subject":"3f0c","datacontenttype":"application/json; charset=utf-8","dataschema":"urn:x:y","data":{}}`,
	"text/json":           `{` + head + `,"datacontenttype":"text/json","data":{}}`,
	"no subject":          `{` + head + `,"subject":null,"data":{}}`,
	"empty subject":       `{` + head + `,"subject":"","data":{}}`,
	"base64":              `{` + head + `,"data_base64":"` + base64.StdEncoding.EncodeToString([]byte(`{"a":"b/c?>"}`)) + `"}`,
	"base64 first":        `{"data_base64":"e30=",` + head + `}`,
	"escapes":             `{"specversion":"1.0","id":"a\"b\u00e9\ud83d\ude00","source":"\/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{"\u0061":"\\"}}`,
	"other script":        `{"specversion":"1.0","id":"ключ","source":"/x","subject":"日本","type":"a.b","time":"2026-03-04T05:06:07Z","data":{"ключ":"日本"}}`,
	"offset of time":      `{"specversion":"1.0","id":"7","source":"/x","type":"a.b","time":"2026-03-04T05:06:07.123456789+05:30","data":{}}`,
	"source is a URI":     `{"specversion":"1.0","id":"7","source":"HTTPS://Example.com/a b?c=%41#d","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`,
	"source is relative":  `{"specversion":"1.0","id":"7","source":"tool","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`,
	"source with slashes": `{"specversion":"1.0","id":"7","source":"//host/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`,
	"extensions":          `{` + head + `,"operator":"anna","sequence":"\u0041","n":-12,"yes":true,"no":false,"nil":null,"data":{}}`,
}

func TestCloudEventsRefused(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", ``, "want an object"},
		{"a list", `[]`, "want an object"},
		{"not closed", `{` + head + `,"data":{}`, "want , or }"},
		{"data not closed", `{` + head + `,"data":{"a":"}`, "the text does not end"},
		{"data not closed either", `{` + head + `,"data":{"a":{}`, "data does not end"},
		{"comma at the end", `{` + head + `,"data":{},}`, "want a text in quotes"},
		{"no comma", `{` + head + ` "data":{}}`, "want , or }"},
		{"no colon", `{"id" "7"}`, "want :"},
		{"more behind", `{` + head + `,"data":{}} {}`, "more behind the end"},
		{"no version", `{"id":"7","source":"/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`, "specversion is missing"},
		{"old version", `{"specversion":"0.3","id":"7"}`, `specversion "0.3": want 1.0`},
		{"no id", `{"specversion":"1.0","source":"/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`, "id is missing"},
		{"blank id", `{"specversion":"1.0","id":" ","source":"/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`, "id is missing or empty"},
		{"no source", `{"specversion":"1.0","id":"7","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`, "source is missing"},
		{"source is no URI", `{"source":"a%zz"}`, "no URI reference"},
		{"no type", `{"specversion":"1.0","id":"7","source":"/x","time":"2026-03-04T05:06:07Z","data":{}}`, "type is missing"},
		{"no time", `{"specversion":"1.0","id":"7","source":"/x","type":"a.b","data":{}}`, "time is missing"},
		{"time", `{"id":"7","time":"2026-3-4"}`, `CloudEvent "7": invalid: time "2026-3-4": want RFC 3339`},
		{"time long ago", `{"specversion":"1.0","id":"7","source":"/x","type":"a.b","time":"1066-10-14T09:00:00Z","data":{}}`, "1970"},
		{"no data", `{` + head + `}`, "data is missing"},
		{"data is a text", `{` + head + `,"data":"{}"}`, "data is no object"},
		{"data is a list", `{` + head + `,"data":[]}`, "data is no object"},
		{"data is null", `{` + head + `,"data":null}`, "data is no object"},
		{"data is not JSON", `{` + head + `,"data":{a}}`, "byte 1"},
		{"key twice in data", `{` + head + `,"data":{"a":1,"\u0061":2}}`, "twice"},
		{"both", `{` + head + `,"data":{},"data_base64":"e30="}`, "both data and data_base64"},
		{"base64", `{` + head + `,"data_base64":"e30"}`, "data_base64"},
		{"base64 of a list", `{` + head + `,"data_base64":"W10="}`, "want an object"},
		{"base64 is no text", `{` + head + `,"data_base64":7}`, "data_base64: invalid: byte"},
		{"attribute twice", `{` + head + `,"id":"8","data":{}}`, "id stands there twice"},
		{"data twice", `{` + head + `,"data":{},"data":{}}`, "data stands there twice"},
		{"extension twice", `{` + head + `,"x":1,"x":2,"data":{}}`, `"x" stands there twice`},
		{"attribute with an escape", `{"\u0069d":"7"}`, "has an escape in it"},
		{"attribute without a name", `{"":1}`, "has no name"},
		{"attribute with a strange name", `{"some_thing":1}`, "lower-case letters"},
		{"extension that is an object", `{"x":{}}`, "whole number"},
		{"extension that is a fraction", `{"x":1.5}`, "want ,"},
		{"extension that is too large", `{"x":9999999999}`, "whole number"},
		{"extension with a leading zero", `{"x":01}`, "whole number"},
		{"id is a number", `{"id":7}`, "want a text"},
		{"id is null", `{"id":null}`, "want a text"},
		{"control character", "{\"id\":\"a\tb\"}", "control character"},
		{"control character by an escape", `{"specversion":"1.0","id":"a\u0000b","source":"/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`, "control character"},
		{"not UTF-8", "{\"id\":\"a\xffb\"}", "not UTF-8"},
		{"half a pair", `{"id":"\ud83d"}`, "broken character"},
		{"escape that is none", `{"id":"\x"}`, "escape"},
		{"blank subject", `{"subject":"  "}`, "subject is blank"},
		{"content type", `{"datacontenttype":"text/plain"}`, "want application/json"},
		{"content type of its own", `{"datacontenttype":"application/x+json"}`, "want application/json"},
		{"schema", `{"dataschema":"/relative"}`, "no absolute URI"},
		{"long id", `{"specversion":"1.0","id":"` + strings.Repeat("x", 2000) + `","source":"/x","type":"a.b","time":"2026-03-04T05:06:07Z","data":{}}`, "id"},
		{"too long", `{"x":"` + strings.Repeat("x", mostEnvelope) + `"}`, "at most"},
		{"too many extensions", tooMany(), "more than 64 extension attributes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := CloudEvents([]byte(tt.in))
			if err == nil {
				t.Fatalf("it was taken: %+v", e)
			}
			if !strings.Contains(err.Error(), tt.want) || !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("error %q: want one that says %q and wraps ErrInvalid", err, tt.want)
			}
			if len(err.Error()) > 500 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func tooMany() string {
	var text strings.Builder
	text.WriteString(`{"a":1`)
	for i := range 64 {
		text.WriteString(`,"x` + string(rune('a'+i%26)) + strings.Repeat("y", i/26+1) + `":1`)
	}
	return text.String() + "}"
}

// A caller reads line by line into one buffer.
func TestCloudEventsKeepNothingOfTheBuffer(t *testing.T) {
	for _, name := range []string{"subject and more", "base64", "escapes"} {
		buffer := []byte(taken[name])
		got, err := CloudEvents(buffer)
		if err != nil {
			t.Fatal(err)
		}
		clear(buffer)
		want, err := CloudEvents([]byte(taken[name]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBatch(t *testing.T) {
	in := `[` + taken["plain"] + `,{"id":"bad"},` + taken["base64"] + `,7]`
	events, err := Batch([]byte(in))
	if len(events) != 2 || string(events[0].Data) != `{"a":1}` || string(events[1].Data) != `{"a":"b/c?>"}` {
		t.Errorf("events %+v: want the first and the third", events)
	}
	want := []string{
		`batch of CloudEvents: item [1]: CloudEvent "bad": invalid: specversion is missing`,
		`batch of CloudEvents: item [3]: CloudEvent: invalid: byte 0: want an object`,
	}
	if err == nil {
		t.Fatal("the bad items are not named")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	if events, err := Batch([]byte(`[]`)); len(events) != 0 || err != nil {
		t.Errorf("an empty batch gives %v, %v: want nothing", events, err)
	}
	for _, bad := range []string{taken["plain"], ``, `[{]`, `[1`} {
		if _, err := Batch([]byte(bad)); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%q: error %v: want ErrInvalid", bad, err)
		}
	}
}

func TestManyBadItemsMakeAShortError(t *testing.T) {
	_, err := Batch([]byte("[" + strings.Repeat("0,", 10_000) + "0]"))
	if err == nil || strings.Count(err.Error(), "\n") != mostProblems {
		t.Errorf("error %v: want %d lines and one that says there may be more", err, mostProblems)
	}
}
