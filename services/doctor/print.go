package doctor

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// WriteTable prints the report for people: a line a check, its remedy below it.
func (r Report) WriteTable(w io.Writer, color bool) error {
	width := 0
	for _, f := range r.Checks {
		width = max(width, len(f.Name))
	}
	var b strings.Builder
	for _, f := range r.Checks {
		fmt.Fprintf(&b, "%s  %-*s  %s\n", paint(f.State, color), width, f.Name, visible(f.Detail))
		if f.Remedy != "" && f.State != OK {
			fmt.Fprintf(&b, "      %*s  → %s\n", width, "", visible(f.Remedy))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

func paint(s State, color bool) string {
	text := fmt.Sprintf("%-4s", s)
	if !color {
		return text
	}
	code := map[State]string{OK: "32", Warn: "33", Fail: "31"}[s]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// visible keeps what a daemon or a file said from steering the terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
