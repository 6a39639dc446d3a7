package schemas_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"firebreak/schemas"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var tokenForm = regexp.MustCompile(`^(=|([A-Za-z0-9_-]|=[0-9A-F]{2})+)$`)

// anyText draws text of any bytes, the awkward ones often.
func anyText() *rapid.Generator[string] {
	awkward := rapid.SampledFrom([]byte{'.', '*', '>', ' ', '=', 0, '\n', 0xff, 'a', '-', '_', '/'})
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.OneOf(awkward, rapid.Byte()), 0, 24).Draw(t, "text"))
	})
}

func TestTokenProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Draw(t, "one")
		token := schemas.Token(text)
		if !tokenForm.MatchString(token) {
			t.Fatalf("the token of %q is %q, which is none", text, token)
		}
		back, err := schemas.Untoken(token)
		if err != nil || back != text {
			t.Fatalf("%q became %q, and back %q: %v", text, token, back, err)
		}
	})
}

func TestUntokenRefuses(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"a=", "a=4", "a=zz", "=4"} {
		if got, err := schemas.Untoken(token); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("Untoken(%q) = %q, %v, want an error of the class ErrInvalid", token, got, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, text := range []string{"", "a", "a.b", "node-n1", "=2E", "\xff", "ü"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if back, err := schemas.Untoken(schemas.Token(text)); err != nil || back != text {
			t.Errorf("%q came back as %q: %v", text, back, err)
		}
		if got, err := schemas.Untoken(text); err == nil {
			if again, err := schemas.Untoken(schemas.Token(got)); err != nil || again != got {
				t.Errorf("%q read as %q came back as %q: %v", text, got, again, err)
			}
		}
	})
}

func TestEventSubject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ cluster, writer, typ, want string }{
		{"local", "node-n1", schemas.ProcessStarted, "firebreak.events.local.node-n1.runtime.process.started"},
		{"local", "core", schemas.GroupArmed, "firebreak.events.local.core.system.group.armed"},
		{"a.b", "node-n.1", "falco.rule.output.v1", "firebreak.events.a=2Eb.node-n=2E1.foreign.falco.rule.output.v1"},
		{"local", "x", "evil.*.>", "firebreak.events.local.x.foreign.evil.=2A.=3E"},
	} {
		if diff := cmp.Diff(tt.want, schemas.EventSubject(tt.cluster, tt.writer, tt.typ)); diff != "" {
			t.Errorf("subject (-want +got):\n%s", diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		writer := anyText().Draw(t, "writer")
		subject := schemas.EventSubject(anyText().Draw(t, "cluster"), writer, schemas.Prefix+anyText().Draw(t, "type"))
		if strings.ContainsAny(subject, "*> \n") {
			t.Fatalf("subject %q holds what NATS reads as something else", subject)
		}
		if got, err := schemas.EventWriter(subject); err != nil || got != writer {
			t.Fatalf("the writer of %q is %q: %v, want %q", subject, got, err, writer)
		}
	})
	for _, subject := range []string{"", "firebreak.events.a.b", "firebreak.ledger.a.b.c", "x.events.a.b.c"} {
		if _, err := schemas.EventWriter(subject); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("EventWriter(%q): %v, want an error of the class ErrInvalid", subject, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	if node, is := schemas.NodeOf(schemas.NodePlace("n1.example")); !is || node != "n1.example" {
		t.Errorf("NodeOf(NodePlace) = %q, %v", node, is)
	}
	for _, place := range []string{schemas.PlaceCore, schemas.PlacePeople} {
		if node, is := schemas.NodeOf(place); is {
			t.Errorf("%s is the node %q", place, node)
		}
	}
}
