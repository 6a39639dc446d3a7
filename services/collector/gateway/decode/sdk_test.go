package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

// sdk reads an event as the CloudEvents SDK does.
func sdk(text []byte) (schemas.Event, error) {
	var ce cloudevents.Event
	if err := json.Unmarshal(text, &ce); err != nil {
		return schemas.Event{}, err
	}
	e, err := schemas.FromCloudEvent(ce)
	if !ce.DataBase64 {
		e.Data = bytes.TrimSpace(e.Data) // the SDK keeps the space before a value
	}
	return e, err
}

// hold holds CloudEvents to its contract: what it takes, the SDK takes, and
// reads alike. It says whether the text was taken.
func hold(t *testing.T, text []byte) bool {
	t.Helper()
	got, err := CloudEvents(text)
	if err != nil {
		if !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("error %v does not wrap ErrInvalid", err)
		}
		return false
	}
	if got.ID == "" || got.Source == "" || got.Type == "" || got.Time.IsZero() || got.Time.Location() != time.UTC {
		t.Errorf("taken without what every event has: %+v", got)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("taken, but encoding/json refuses it: %v\n%q", err, text)
	}
	if bytes.ContainsRune(members["data_base64"], '\\') {
		return true // the SDK does not undo escapes there, though it should
	}
	if members["data_base64"] != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, text); err != nil {
			t.Fatal(err)
		}
		text = compact.Bytes() // nor does it pass over space before the value
	}
	want, err := sdk(text)
	if err != nil {
		t.Fatalf("taken, but the SDK refuses it: %v\n%q", err, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: %s", text, diff)
	}
	return true
}

func TestCloudEventsAreThoseOfTheSDK(t *testing.T) {
	for name, text := range taken {
		t.Run(name, func(t *testing.T) {
			if !hold(t, []byte(text)) {
				t.Error("it was refused")
			}
		})
	}
}

// What lies one byte beside an event is where two readers differ.
func TestCloudEventsBesideThoseTaken(t *testing.T) {
	both := map[bool]int{}
	for _, text := range taken {
		for at := range text {
			for _, put := range []string{"", "\"", "\\", "{", "}", "[", ":", ",", " ", "0", "-", "e", "u", "\x00", "\xff", "\"x\":1,", "%"} {
				both[hold(t, []byte(text[:at]+put+text[at+1:]))]++
				both[hold(t, []byte(text[:at]+put+text[at:]))]++
			}
		}
	}
	if both[true] < 1000 || both[false] < 1000 {
		t.Errorf("%d were taken and %d refused: the test no longer tries much", both[true], both[false])
	}
}

func FuzzCloudEvents(f *testing.F) {
	for _, text := range taken {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { hold(t, text) })
}
