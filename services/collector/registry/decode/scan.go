package decode

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"firebreak/schemas"
)

// mostFindings is how many findings an event lists.
const mostFindings = 200

// gravity ranks severities, the gravest first.
var gravity = map[string]int{"critical": 0, "high": 1, "medium": 2, "low": 3, "unknown": 4}

// severityOf gives one of our five words for a scanner's.
func severityOf(text string) string {
	word := strings.ToLower(text)
	if word == "negligible" { // some databases have it below low; we have no such word
		return "low"
	}
	if _, known := gravity[word]; known {
		return word
	}
	return "unknown"
}

// count adds n vulnerabilities of a severity.
func count(s *schemas.Scan, severity string, n int) {
	switch severity {
	case "critical":
		s.Critical += n
	case "high":
		s.High += n
	case "medium":
		s.Medium += n
	case "low":
		s.Low += n
	default:
		s.Unknown += n
	}
}

// list puts the gravest findings into a scan. Findings that rank alike are
// ordered by their names, so that the same report always gives the same list.
func list(s *schemas.Scan, all []schemas.Finding) {
	slices.SortFunc(all, func(a, b schemas.Finding) int {
		return cmp.Or(
			cmp.Compare(gravity[a.Severity], gravity[b.Severity]),
			cmp.Compare(b.Score, a.Score),
			cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Fixed, b.Fixed))
	})
	s.Cut = len(all) > mostFindings
	s.Findings = all[:min(len(all), mostFindings)]
}

// overview is Harbor's summary of a scan. A scan that failed has none.
type overview struct {
	Scanner struct {
		Name string `json:"name"`
	} `json:"scanner"`
	Summary *struct {
		Fixable int            `json:"fixable"`
		Summary map[string]int `json:"summary"`
	} `json:"summary"`
}

// scanOf reads the counts of the first overview that has any. Harbor keeps one
// for each form of report of the same scan.
func scanOf(overviews map[string]overview) *schemas.Scan {
	for _, form := range slices.Sorted(maps.Keys(overviews)) {
		o := overviews[form]
		if o.Summary == nil {
			continue
		}
		s := &schemas.Scan{Scanner: scannerOf(o.Scanner.Name), Fixable: o.Summary.Fixable}
		for severity, n := range o.Summary.Summary {
			if severity != "None" {
				count(s, severityOf(severity), n)
			}
		}
		return s
	}
	return nil
}

// scannerOf is a scanner's name as we write it.
func scannerOf(name string) string {
	return cmp.Or(strings.ToLower(name), "unknown")
}
