package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/term"
)

// Config says how to log.
type Config struct {
	Level  string // debug | info | warn | error; "" is info
	Format string // auto | text | json; "" is auto: text on a terminal, JSON elsewhere
}

// New gives a logger that writes to w. It colours text on a terminal, unless
// the environment variable NO_COLOR is set.
func New(w io.Writer, c Config) (*slog.Logger, error) {
	level, err := parseLevel(c.Level)
	if err != nil {
		return nil, err
	}
	terminal := isTerminal(w)
	format := c.Format
	if format == "" || format == "auto" {
		format = "json"
		if terminal {
			format = "text"
		}
	}
	// Masking sits below the handlers, so that it sees the finished line: a
	// secret inside an error or a struct is found as well as a bare attribute.
	masked := &maskWriter{w: w}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(masked, &slog.HandlerOptions{Level: level, ReplaceAttr: maskAttr})), nil
	case "text":
		return slog.New(newTextHandler(masked, level, terminal && os.Getenv("NO_COLOR") == "")), nil
	default:
		return nil, fmt.Errorf("log format %q is not known; it can be auto, text or json", c.Format)
	}
}

// Discard gives a logger that keeps nothing.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func parseLevel(s string) (slog.Level, error) {
	switch strings.ToLower(s) {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	default:
		return 0, fmt.Errorf("log level %q is not known; it can be debug, info, warn or error", s)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
