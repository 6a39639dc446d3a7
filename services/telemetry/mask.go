package telemetry

import (
	"bytes"
	"io"
	"log/slog"
	"regexp"
	"strings"
)

const masked = "[masked]"

// secretNames are the names of attributes whose value is never written.
var secretNames = []string{"password", "passwd", "secret", "token", "seed", "authorization", "credential", "private_key", "api_key"}

// secretShapes are values that are secrets under any name. The seed of an nkey
// is S, its kind, and 56 characters of base32.
var secretShapes = []struct {
	shape *regexp.Regexp
	mask  []byte
}{
	{regexp.MustCompile(`\bS[ACNOPUX][A-Z2-7]{56}\b`), []byte(masked)},
	// The user part of a URL; what is kept stops at characters that end it.
	{regexp.MustCompile(`(://)[^/@\s"'?#]+@`), []byte("${1}" + masked + "@")},
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), []byte(masked)},
	{regexp.MustCompile(`(?i)\b(bearer|basic) [A-Za-z0-9._~+/=-]{8,}`), []byte("${1} " + masked)},
}

func secretName(key string) bool {
	key = strings.ToLower(strings.ReplaceAll(key, "-", "_"))
	for _, n := range secretNames {
		if strings.HasSuffix(key, n) {
			return true
		}
	}
	return false
}

// maskAttr hides the value of an attribute that is named like a secret.
func maskAttr(_ []string, a slog.Attr) slog.Attr {
	if secretName(a.Key) {
		return slog.String(a.Key, masked)
	}
	return a
}

// maskWriter hides what looks like a secret in each line it passes on. The
// handlers above it write one whole line a call.
type maskWriter struct{ w io.Writer }

func (m *maskWriter) Write(line []byte) (int, error) {
	if _, err := m.w.Write(maskBytes(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

func maskBytes(line []byte) []byte {
	for _, s := range secretShapes {
		if s.shape.Match(line) {
			line = s.shape.ReplaceAll(line, s.mask)
		}
	}
	// A masked line still ends: a shape that ran to the end took the newline along.
	if !bytes.HasSuffix(line, []byte("\n")) {
		line = append(line[:len(line):len(line)], '\n')
	}
	return line
}
