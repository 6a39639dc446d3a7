package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/fatih/color"
)

// line prints one JSON object on a line of its own.
func (sh *shell) line(v any) error {
	enc := json.NewEncoder(sh.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// say prints one line for people.
func (sh *shell) say(format string, args ...any) {
	fmt.Fprintf(sh.out, format+"\n", args...)
}

// table prints rows under a head, in columns.
func table(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = visible(r[i])
		}
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// visible makes what an event says safe to print: no byte of it can steer the
// terminal, begin a new line or turn the direction of the text.
func visible(s string) string {
	clean := true
	for _, r := range s {
		if !printable(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if printable(r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "\\u%04x", r)
	}
	return b.String()
}

func printable(r rune) bool { return r == ' ' || unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) }

// short cuts an id for a table; --json has it whole.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// paint colours a severity or a state; without a terminal it is the plain text.
func paint(word string) string {
	switch word {
	case "critical", "failed", "ineffective":
		return color.New(color.FgRed, color.Bold).Sprint(word)
	case "high", "partial", "unverified", "expired", "refused", "skipped":
		return color.New(color.FgYellow).Sprint(word)
	case "enforced", "released", "contained", "closed":
		return color.New(color.FgGreen).Sprint(word)
	case "opened", "applied", "planned", "requested", "open":
		return color.New(color.FgCyan).Sprint(word)
	default:
		return word
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
