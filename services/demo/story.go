package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"firebreak/schemas"
)

// story is what the pipeline says, told as it says it.
type story struct {
	say func(string)

	mu     sync.Mutex
	exec   time.Time         // the kernel's, of the dropped file
	id     string            // the incident
	tasks  map[string]string // task → "<action>" of the incident
	about  map[string]bool   // containers that any task spoke of
	kinds  map[string][]schemas.Kind
	effect schemas.Effect
	lines  []string
}

func newStory(say func(string)) *story {
	return &story{say: say, tasks: map[string]string{}, about: map[string]bool{}, kinds: map[string][]schemas.Kind{}}
}

func (s *story) tell(at time.Time, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !s.exec.IsZero() {
		line = fmt.Sprintf("%9.3f ms  %s", ms(at.Sub(s.exec)), line)
	}
	s.lines = append(s.lines, line)
	s.say(line)
}

func (s *story) event(e schemas.Event) error {
	if e.Type != schemas.ProcessStarted {
		return nil
	}
	var data schemas.ProcessEvent
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	if data.Container == nil || data.Container.ID != victim || data.Process.Executable == nil || data.Process.Executable.Path != dropped {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exec = e.Time
	s.tell(e.Time, "event      %s executed in %s (origin: %s)", dropped, victim, data.Process.Executable.Origin)
	return nil
}

func (s *story) record(r schemas.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Kind {
	case schemas.KindOpened:
		var o schemas.Opened
		if err := r.Decode(&o); err != nil {
			return err
		}
		s.tell(r.Stored, "incident   %s: %s (%s)", r.Incident, o.Playbook.Name, o.Playbook.Severity)
		if o.Playbook.Name == "miner-in-container" {
			s.id = r.Incident
		}
		return nil
	case schemas.KindRequested:
		var req schemas.Requested
		if err := r.Decode(&req); err != nil {
			return err
		}
		s.about[req.Target.ID] = true
		if r.Incident == s.id {
			s.tasks[r.Task] = req.Action
		}
	}
	action, ours := s.tasks[r.Task]
	if r.Incident != s.id || !ours {
		return nil
	}
	s.kinds[action] = append(s.kinds[action], r.Kind)
	return s.act(action, r)
}

func (s *story) act(action string, r schemas.Record) error {
	switch {
	case r.Kind == schemas.KindApplied && action == "container.pause":
		if err := r.Decode(&s.effect); err != nil {
			return err
		}
		if s.effect.HaltedAt != nil {
			s.tell(*s.effect.HaltedAt, "halted     nothing in %s runs any more", victim)
		}
		if s.effect.PausedAt != nil {
			s.tell(*s.effect.PausedAt, "paused     containerd says PAUSED")
		}
	case r.Kind == schemas.KindApplied && action == "evidence.capture":
		var e schemas.Effect
		if err := r.Decode(&e); err != nil {
			return err
		}
		var data struct {
			Artefacts []schemas.Artefact `json:"artefacts"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return fmt.Errorf("evidence: %w", err)
		}
		var names []string
		for _, a := range data.Artefacts {
			names = append(names, a.Name)
		}
		s.tell(r.Stored, "evidence   %s", strings.Join(names, ", "))
	case r.Kind == schemas.KindEnforced:
		s.tell(r.Stored, "verified   the pause is seen in the runtime and in the kernel")
	case r.Kind == schemas.KindReleased:
		s.tell(r.Stored, "released   %s", action)
	case slices.Contains([]schemas.Kind{schemas.KindFailed, schemas.KindRefused, schemas.KindGone, schemas.KindPartial, schemas.KindIneffective, schemas.KindUnverified}, r.Kind):
		s.tell(r.Stored, "%-10s %s: %s", r.Kind, action, r.Data)
	}
	return nil
}

func (s *story) has(action string, kind schemas.Kind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.kinds[action], kind)
}

// contained: verified, with the evidence taken and its time of the event known.
func (s *story) contained() bool {
	s.mu.Lock()
	known := !s.exec.IsZero()
	s.mu.Unlock()
	return known && s.enforced() && s.has("evidence.capture", schemas.KindApplied)
}

func (s *story) enforced() bool { return s.has("container.pause", schemas.KindEnforced) }
func (s *story) released() bool { return s.has("container.pause", schemas.KindReleased) }

func (s *story) incident() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *story) spokeOf(container string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.about[container]
}

func (s *story) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "; ")
}

// delays from the kernel's exec to halted and to paused.
func (s *story) delays() (halted, paused time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effect.HaltedAt != nil {
		halted = s.effect.HaltedAt.Sub(s.exec)
	}
	if s.effect.PausedAt != nil {
		paused = s.effect.PausedAt.Sub(s.exec)
	}
	return halted, paused
}
