package playbook_test

import (
	"bytes"
	"strings"
	"testing"

	"firebreak/playbooks"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestFormatLibrary: formatting the library changes nothing that matters, and
// formatting it again nothing at all.
func TestFormatLibrary(t *testing.T) {
	t.Parallel()
	sources, err := playbook.FromFS(playbooks.FS, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) == 0 {
		t.Fatal("the library is empty")
	}
	formatted := make([]playbook.Source, len(sources))
	for i, s := range sources {
		out, findings := playbook.Format(s.Data)
		for _, f := range findings {
			t.Errorf("%s: %v", s.Name, f)
		}
		if again, _ := playbook.Format(out); !bytes.Equal(again, out) {
			t.Errorf("%s: formatted again it differs:\n%s", s.Name, cmp.Diff(string(out), string(again)))
		}
		formatted[i] = playbook.Source{Name: s.Name, Data: out}
	}
	before, _ := playbook.Load(sources, action.Specs())
	after, findings := playbook.Load(formatted, action.Specs())
	if before == nil || after == nil {
		t.Fatalf("the library does not load: %v", findings)
	}
	if diff := cmp.Diff(before.Playbooks, after.Playbooks, cmpopts.IgnoreFields(playbook.Signal{}, "When")); diff != "" {
		t.Errorf("formatting changes the library (-before +after):\n%s", diff)
	}
}

func TestFormatFindings(t *testing.T) {
	t.Parallel()
	text := strings.Replace(head, "summary", "sumary", 1) + on + then
	out, findings := playbook.Format([]byte(text))
	if string(out) != text {
		t.Errorf("a playbook with errors was changed:\n%s", out)
	}
	want := "3:11: error: the key summary is missing\n3:21: error: unknown key \"sumary\" (did you mean summary?)"
	if got := show(findings); got != want {
		t.Errorf("findings:\n%s\nwant\n%s", got, want)
	}
}
