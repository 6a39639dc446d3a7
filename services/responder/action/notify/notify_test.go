package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"

	"firebreak/schemas"
	"firebreak/services/responder"
	"firebreak/services/responder/action/notify"
)

func plan(t *testing.T, l *notify.Log, with string) (schemas.Plan, error) {
	t.Helper()
	p, err := l.Plan(t.Context(), schemas.Target{Kind: "incident", ID: "i1", Place: "core"}, json.RawMessage(with))
	p.Holder = "i1/tell-0123"
	return p, err
}

func TestOneLineWhateverTheTextIs(t *testing.T) {
	var out bytes.Buffer
	l := notify.New(slog.New(slog.NewTextHandler(&out, nil)), nil)
	p, err := plan(t, l, `{"text":"100%s \u001b[31mred\nlevel=ERROR msg=forged \u202e","to":"soc"}`)
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Errorf("a plan wrote %q", out.String())
	}
	if _, err := l.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if strings.Count(got, "\n") != 1 || strings.ContainsRune(got, 0x1b) {
		t.Errorf("not one harmless line: %q", got)
	}
	for _, want := range []string{"100%s", `x1b[31mred`, `x0alevel`, `u{202e}`, "to=soc", "incident=i1", "task=tell-0123"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

func TestParametersAreStrict(t *testing.T) {
	l := notify.New(slog.New(slog.DiscardHandler), nil)
	for name, with := range map[string]string{
		"none": ``, "null": `null`, "no text": `{"to":"soc"}`, "empty": `{"text":""}`, "unknown key": `{"text":"a","txt":"b"}`,
		"number": `{"text":5}`, "two": `{"text":"a"}{"text":"b"}`, "cut": `{"text":"a"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan(t, l, with)
			if !errors.Is(err, responder.ErrRefused) || responder.Remedy(err) == "" {
				t.Errorf("want a refusal with a remedy, got %v", err)
			}
		})
	}
}

type broken struct{}

func (broken) Notify(context.Context, notify.Notice) error { return errors.New("the line is down") }

func TestSinkThatFailsCanBeTriedAgain(t *testing.T) {
	l := notify.New(nil, broken{})
	p, err := plan(t, l, `{"text":"a"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Apply(t.Context(), p); !errors.Is(err, responder.ErrTransient) {
		t.Errorf("want ErrTransient, got %v", err)
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\x00\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := notify.Visible(s)
		for _, r := range got {
			if !unicode.IsPrint(r) && r != unicode.ReplacementChar {
				t.Fatalf("%q is left in %q", r, got)
			}
		}
		if len(got) > 4200 {
			t.Fatalf("%d bytes are left", len(got))
		}
	})
}
