package replay

import "firebreak/services/correlator/engine"

// Summary sums a run up.
type Summary struct {
	Events          uint64  `json:"events"`
	Incidents       uint64  `json:"incidents"`
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"events_per_second"`

	Recurred  uint64                     `json:"recurred"` // recorded recurrences of open incidents
	Types     map[string]uint64          `json:"types"`    // events by their full type
	Playbooks map[string]PlaybookSummary `json:"playbooks"`

	Late       uint64 `json:"late"`       // matches that windows did not take because they came late
	Duplicates uint64 `json:"duplicates"` // matches of events that had come before
	Suppressed uint64 `json:"suppressed"`
	Errors     uint64 `json:"errors"` // conditions that could not be evaluated
	Unknown    uint64 `json:"unknown"`
	Refused    uint64 `json:"refused"` // events that nobody can read in one way alone
	Overflowed uint64 `json:"overflowed"`
	Unrecalled uint64 `json:"unrecalled"` // events that took part and could not be read again
	Gaps       uint64 `json:"gaps"`       // places where the log had let events go
	Waiting    bool   `json:"waiting"`    // at the end, something still waited for time to pass

	Lines uint64 `json:"lines"`
	Bad   uint64 `json:"bad"` // lines of which not all could be taken
	Bytes int64  `json:"bytes"`
}

// PlaybookSummary are the counts of one playbook that had any.
type PlaybookSummary struct {
	Severity  string `json:"severity,omitempty"`
	Incidents uint64 `json:"incidents"`
	Matched   uint64 `json:"matched"` // events of its signals
	Late      uint64 `json:"late,omitempty"`
	Errors    uint64 `json:"errors,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// Summary of what was applied so far. The clock and the files are the caller's.
func (r *Run) Summary() Summary {
	r.settle()
	s := r.sum
	s.Events, s.Waiting = r.events, r.engine.Waiting()
	s.Types = r.types
	s.Playbooks = map[string]PlaybookSummary{}
	for name, p := range r.sum.Playbooks {
		s.Playbooks[name] = p
	}
	for name, st := range r.engine.Stats() {
		s.add(name, st)
	}
	return s
}

func (s *Summary) add(name string, st engine.Stats) {
	s.Late += st.Late
	s.Duplicates += st.Duplicates
	s.Suppressed += st.Suppressed
	s.Errors += st.Errors
	s.Unrecalled += st.Unrecalled
	p := s.Playbooks[name]
	p.Matched, p.Late, p.Errors, p.LastError = st.Matched, st.Late, st.Errors, st.LastError
	if p != (PlaybookSummary{}) {
		s.Playbooks[name] = p
	}
}
