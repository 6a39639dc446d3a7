package correlate

import "fmt"

// Target is one figure beside what it is to be. Whether it is met on some
// machine is for people to see: nothing fails over it.
type Target struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Least float64 `json:"at_least,omitempty"`
	Most  float64 `json:"at_most,omitempty"`
	Met   bool    `json:"met"`
}

func atLeast(name string, value, least float64) Target {
	return Target{Name: name, Value: value, Least: least, Met: value >= least}
}

func atMost(name string, value, most float64) Target {
	return Target{Name: name, Value: value, Most: most, Met: value <= most}
}

// Targets of matching: the rate with a thousand playbooks, and what ten
// thousand keep of the rate with ten.
func (r MatchResult) Targets() []Target {
	var out []Target
	for _, at := range r.Rates {
		for _, s := range at.Sets {
			if s.Playbooks == 1000 {
				out = append(out, atLeast(fmt.Sprintf("decode + match, 1,000 playbooks, %g %% match: events/s", 100*at.Share), s.Rate.PerSecond, 150_000))
			}
		}
		out = append(out, atLeast(fmt.Sprintf("rate with the largest set to that with the smallest, %g %% match", 100*at.Share), at.Ratio, 0.8))
	}
	return out
}

// Targets of open windows; the memory is that of a million.
func (r WindowsResult) Targets() []Target {
	var out []Target
	for _, o := range r.Operators {
		out = append(out, atMost(o.Operator+": MB for a million open windows", o.Each, 250), atMost(o.Operator+": an update, hot, µs (median)", o.HotP50, 2))
	}
	return out
}

// Targets of the way through the bus.
func (r PipelineResult) Targets() []Target {
	return []Target{
		atLeast("publish → incident stored, to a bare ordered consumer", r.Ratio, 0.7),
		atLeast("the same, both by TCP", r.RatioTCP, 0.7),
	}
}

// Targets of the latency.
func (r LatencyResult) Targets() []Target {
	return []Target{atMost("event stored → incident stored, ms (median)", r.P50, 1)}
}

// Targets of a replay.
func (r ReplayResult) Targets() []Target {
	return []Target{atLeast("replay through the library: events/s", r.Rate.PerSecond, 100_000)}
}

// Targets of a recovery.
func (r RecoveryResult) Targets() []Target {
	return []Target{atMost("at work again after kill -9, seconds", r.Seconds, 15)}
}

// Targets of what is meant to do harm.
func (r HostileResult) Targets() []Target {
	return []Target{
		atMost("hostile events that were not refused", float64(r.Through), 0),
		atMost("hostile conditions that were not refused", float64(r.Compiled), 0),
	}
}
