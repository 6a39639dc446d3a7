package bench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFiguresAreNearestRank(t *testing.T) {
	var samples []time.Duration
	for i := 200; i >= 1; i-- {
		samples = append(samples, time.Duration(i)*time.Millisecond)
	}
	if diff := cmp.Diff(Figures{P50: 100, P95: 190, P99: 198}, figures(samples)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Figures{P50: 7, P95: 7, P99: 7}, figures([]time.Duration{7 * time.Millisecond})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Figures{}, figures(nil)); diff != "" {
		t.Error(diff)
	}
}
