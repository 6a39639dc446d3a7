// Package format reads events as other tools write them: by the name of the
// format, with the decoders that the collectors use. The author's tests,
// explain and replay share it.
//
// It joins nothing from the inventory and asks no clock. It is pure. Start
// with [Decode].
package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"firebreak/schemas"
	cluster "firebreak/services/collector/cluster/decode"
	gateway "firebreak/services/collector/gateway/decode"
	registry "firebreak/services/collector/registry/decode"
)

// The formats, as `as:` and --as name them.
const (
	CloudEvents  = "cloudevents"
	Audit        = "k8s-audit"
	Falco        = "falco"
	Tetragon     = "tetragon"
	Distribution = "distribution"
	Harbor       = "harbor"
	Trivy        = "trivy"
)

// Names lists the formats.
func Names() []string {
	return []string{CloudEvents, Audit, Falco, Tetragon, Distribution, Harbor, Trivy}
}

// Options are what the bytes do not say of themselves.
type Options struct {
	Source string    // CloudEvents source, for formats that name none
	Time   time.Time // of events that carry none
}

// Decode gives the events of one text. An error can come beside events: it
// names those that could not be read.
func Decode(format string, data []byte, o Options) ([]schemas.Event, error) {
	switch format {
	case CloudEvents:
		return cloudEvents(data)
	case Audit:
		return cluster.Audit(data, cluster.Options{Source: o.Source})
	case Falco:
		return gateway.Falco(data, gateway.Options{Source: o.Source, Time: o.Time})
	case Tetragon:
		return gateway.Tetragon(data, gateway.Options{Source: o.Source, Time: o.Time})
	case Distribution:
		return registry.Distribution(data, registry.Options{Source: o.Source, Time: o.Time})
	case Harbor:
		return registry.Harbor(data, registry.Options{Source: o.Source, Time: o.Time})
	case Trivy:
		return registry.Trivy(data, registry.Options{Source: o.Source, Time: o.Time})
	}
	return nil, fmt.Errorf("format %q: %w: known are %s", format, schemas.ErrInvalid, strings.Join(Names(), ", "))
}

func cloudEvents(data []byte) ([]schemas.Event, error) {
	if strings.HasPrefix(strings.TrimSpace(string(data)), "[") {
		return gateway.Batch(data)
	}
	e, err := gateway.CloudEvents(data)
	if err != nil {
		return nil, err
	}
	return []schemas.Event{e}, nil
}

// ForTests decodes an event of a test: under a source of the tests, and at the
// tests' beginning where it has no time of its own.
func ForTests(start time.Time) func(format string, raw []byte) ([]schemas.Event, error) {
	return func(format string, raw []byte) ([]schemas.Event, error) {
		events, err := Decode(format, raw, Options{Source: "/test/" + format, Time: start})
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return nil, errors.New("it holds no event")
		}
		return events, nil
	}
}

// Text gives the events of a whole text: one JSON value, or one on each line.
// What cannot be read is named in the error, with its line; the others are given.
func Text(format string, data []byte, o Options) ([]schemas.Event, error) {
	trimmed := bytes.TrimSpace(data)
	if json.Valid(trimmed) {
		return Decode(format, trimmed, o)
	}
	var out []schemas.Event
	var bad []error
	n := 0
	for line := range bytes.Lines(data) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		events, err := Decode(format, line, o)
		out = append(out, events...)
		switch {
		case err != nil && len(bad) < mostBad:
			bad = append(bad, fmt.Errorf("line %d: %w", n, err))
		case err != nil && len(bad) == mostBad:
			bad = append(bad, errors.New("and more"))
		}
	}
	return out, errors.Join(bad...)
}

// mostBad bounds what is told of a text that is of another format altogether.
const mostBad = 5
