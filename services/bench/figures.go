package bench

import (
	"math"
	"slices"
	"time"
)

// Figures are percentiles in milliseconds, by nearest rank.
type Figures struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
}

func figures(samples []time.Duration) Figures {
	sorted := slices.Sorted(slices.Values(samples))
	return Figures{P50: rank(sorted, 0.50), P95: rank(sorted, 0.95), P99: rank(sorted, 0.99)}
}

// rank is the smallest sample that at least the share q of all does not exceed.
func rank(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	ms := float64(sorted[max(i, 0)]) / float64(time.Millisecond)
	return math.Round(ms*1000) / 1000
}

// Ratio of two figures, rounded; 0 when there is no baseline.
func Ratio(of, baseline float64) float64 {
	if baseline == 0 {
		return 0
	}
	return math.Round(of/baseline*1000) / 1000
}
