package telemetry

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
	"unicode"
)

// textHandler writes a line for people: time, level, message, key=value.
type textHandler struct {
	level  slog.Level
	color  bool
	prefix string // the open groups, each with a dot
	attrs  []byte // what With has gathered, ready to write

	mu *sync.Mutex // shared by all handlers made from one, as they share w
	w  io.Writer
}

func newTextHandler(w io.Writer, level slog.Level, color bool) *textHandler {
	return &textHandler{level: level, color: color, mu: new(sync.Mutex), w: w}
}

var _ slog.Handler = (*textHandler)(nil)

// Enabled implements [slog.Handler].
func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// WithAttrs implements [slog.Handler].
func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = append([]byte(nil), h.attrs...)
	for _, a := range attrs {
		next.attrs = next.appendAttr(next.attrs, h.prefix, a)
	}
	return &next
}

// WithGroup implements [slog.Handler].
func (h *textHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix = h.prefix + name + "."
	return &next
}

// Handle implements [slog.Handler].
func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	line := make([]byte, 0, 256)
	if !r.Time.IsZero() {
		line = h.paint(line, faint, r.Time.Format("15:04:05.000"))
		line = append(line, ' ')
	}
	name, color := levelName(r.Level)
	line = h.paint(line, color, name)
	line = append(line, ' ')
	line = appendVisible(line, r.Message)
	line = append(line, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line = h.appendAttr(line, h.prefix, a)
		return true
	})
	line = append(line, '\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(line)
	return err
}

func (h *textHandler) appendAttr(line []byte, prefix string, a slog.Attr) []byte {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range value.Group() {
			line = h.appendAttr(line, prefix, inner)
		}
		return line
	}
	if a.Equal(slog.Attr{}) {
		return line
	}
	line = append(line, ' ')
	start := len(line)
	line = appendVisible(line, prefix+a.Key)
	key := string(line[start:])
	line = h.paint(line[:start], faint, key+"=")
	if secretName(a.Key) {
		return append(line, masked...)
	}
	return appendValue(line, value)
}

func appendValue(line []byte, v slog.Value) []byte {
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().Format(time.RFC3339Nano)
	}
	if bare(text) {
		return append(line, text...)
	}
	return strconv.AppendQuote(line, text)
}

// bare says whether a value can stand without quotes.
func bare(s string) bool {
	for _, r := range s {
		if r == ' ' || r == '"' || r == '=' || r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return s != ""
}

// appendVisible writes text so that no byte of it can steer a terminal or
// begin another line.
func appendVisible(line []byte, s string) []byte {
	for _, r := range s {
		if unicode.IsPrint(r) {
			line = append(line, string(r)...)
			continue
		}
		quoted := strconv.QuoteRune(r)
		line = append(line, quoted[1:len(quoted)-1]...)
	}
	return line
}

const (
	faint  = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
	blue   = "\x1b[34m"
	reset  = "\x1b[0m"
)

func levelName(l slog.Level) (name, color string) {
	switch {
	case l >= slog.LevelError:
		return "ERROR", red
	case l >= slog.LevelWarn:
		return "WARN ", yellow
	case l >= slog.LevelInfo:
		return "INFO ", green
	default:
		return "DEBUG", blue
	}
}

func (h *textHandler) paint(line []byte, color, text string) []byte {
	if !h.color {
		return append(line, text...)
	}
	line = append(line, color...)
	line = append(line, text...)
	return append(line, reset...)
}
