// Package notify tells people: notify.log writes one structured line.
//
// The text of a notice may come from an event, thus from an attacker: it is a
// value in a line, never a format, and control characters in it are made
// visible, so that nobody can forge a second line or steer a terminal. A line
// may come twice after a crash; its incident and task tell that it is the same.
//
// Start with [New].
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"firebreak/schemas"
	"firebreak/services/responder"
)

// Sink takes a notice.
type Sink interface {
	Notify(ctx context.Context, n Notice) error
}

// Notice is what is told. Its texts are free of control characters.
type Notice struct {
	Incident string
	Task     string
	To       string // the sink the playbook named, "" for none
	Text     string
}

// maxText bounds a notice; a longer one is cut, and says so.
const maxText = 4096

// Log is the action notify.log.
type Log struct{ sink Sink }

var _ responder.Action = (*Log)(nil)

// New gives the action. A nil sink writes to the log.
func New(log *slog.Logger, sink Sink) *Log {
	if sink == nil {
		sink = lines{log}
	}
	return &Log{sink: sink}
}

// Spec describes notify.log.
func Spec() schemas.Spec {
	return schemas.Spec{
		Name:       "notify.log",
		Summary:    "Writes one line to Firebreak's log",
		TargetKind: "incident",
		Place:      schemas.PlaceCore,
		Params: json.RawMessage(`{
  "type": "object",
  "properties": {
    "text": {"type": "string", "minLength": 1, "description": "what to say; control characters are made visible"},
    "to": {"type": "string", "description": "for whom; the line carries it"}
  },
  "required": ["text"],
  "additionalProperties": false
}`),
	}
}

// Spec describes the action.
func (l *Log) Spec() schemas.Spec { return Spec() }

type params struct {
	Text string `json:"text"`
	To   string `json:"to"`
}

func read(with json.RawMessage) (params, error) {
	var p params
	dec := json.NewDecoder(bytes.NewReader(with))
	dec.DisallowUnknownFields()
	err := dec.Decode(&p)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the parameters")
		}
	}
	if err == nil && p.Text == "" {
		err = errors.New("there is no text")
	}
	if err != nil {
		return p, responder.WithRemedy(
			fmt.Errorf("notify.log: %w: parameters: %w", responder.ErrRefused, err),
			`write the step as: do: notify.log, with: {text: "…"}`)
	}
	return params{Text: Visible(p.Text), To: Visible(p.To)}, nil
}

// Plan reads the parameters.
func (l *Log) Plan(_ context.Context, t schemas.Target, with json.RawMessage) (schemas.Plan, error) {
	p, err := read(with)
	if err != nil {
		return schemas.Plan{}, err
	}
	return schemas.Plan{Version: 1, Target: t, With: with, Will: []string{"write to the log: " + p.Text}}, nil
}

// Apply writes the line.
func (l *Log) Apply(ctx context.Context, p schemas.Plan) (schemas.Effect, error) {
	with, err := read(p.With)
	if err != nil {
		return schemas.Effect{}, err
	}
	incident, task, _ := strings.Cut(p.Holder, "/")
	if err := l.sink.Notify(ctx, Notice{Incident: incident, Task: task, To: with.To, Text: with.Text}); err != nil {
		return schemas.Effect{}, fmt.Errorf("notify.log: %w: %w", responder.ErrTransient, err)
	}
	return schemas.Effect{Version: 1, Plan: p}, nil
}

// lines is the sink that writes to a logger.
type lines struct{ log *slog.Logger }

func (s lines) Notify(ctx context.Context, n Notice) error {
	s.log.LogAttrs(ctx, slog.LevelWarn, "notice",
		slog.String("text", n.Text), slog.String("to", n.To), slog.String("incident", n.Incident), slog.String("task", n.Task))
	return nil
}

// Visible writes control characters and those that steer a terminal or the
// direction of writing as escapes, and cuts what is too long.
func Visible(s string) string {
	var b strings.Builder
	for i, r := range s {
		if b.Len() >= maxText {
			fmt.Fprintf(&b, "… (%d more bytes)", len(s)-i)
			break
		}
		switch {
		case r == utf8.RuneError:
			b.WriteRune('�')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}
