package container

import (
	"sync"
	"time"

	"firebreak/schemas"
	"firebreak/services/responder/action/container/strays"
)

// search is what was found of the members all over the host.
type search struct {
	finding

	pids   []int
	at     time.Time       // when it began
	paused map[string]bool // containers that containerd has called paused since
}

func searchStrays(members []Member) search {
	s := search{at: time.Now()}
	var look []strays.Container
	for _, m := range members {
		c, err := strays.Of(m.PID)
		if err != nil {
			s.add(schemas.Unverified, "%s: %v", m.label(), err)
			continue
		}
		if c.Unsure {
			s.add(schemas.Unverified, "%s is privileged and shares the host's process ids: what it moved out of its cgroup cannot be told from the host's own", m.label())
		}
		look = append(look, c)
	}
	found, err := strays.Find(look)
	if err != nil {
		s.add(schemas.Unverified, "%v", err)
	}
	s.pids = found
	return s
}

// searchHalted searches as soon as every member has been halted, while the
// runtime is busy pausing them. From then on nothing of them can slip away any
// more: only what already has could still bring forth a stray, and that is what
// the search finds. It gives nil when one of them was not halted.
func searchHalted(work []*attempt) <-chan *search {
	found := make(chan *search, 1)
	go func() { // contain waits for it
		members := make([]Member, 0, len(work))
		halted := true
		for _, a := range work {
			a.rested.Wait()
			halted = halted && a.ahead
			members = append(members, a.m)
		}
		if !halted {
			found <- nil
			return
		}
		s := searchStrays(members)
		found <- &s
	}()
	return found
}

// searches are those made while pausing, until the verification takes them.
type searches struct {
	mu sync.Mutex
	of map[string]*search // by holder
}

const (
	fresh        = time.Second // what was searched longer ago is searched again
	mostSearches = 64          // not taken yet; a verification that finds none searches itself
)

func (s *searches) keep(holder string, found *search) {
	if found == nil || holder == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || len(s.of) >= mostSearches {
		s.of = map[string]*search{}
	}
	s.of[holder] = found
}

// take gives the search of a holder once, if it is fresh.
func (s *searches) take(holder string) *search {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.of[holder]
	delete(s.of, holder)
	if found == nil || time.Since(found.at) > fresh {
		return nil
	}
	return found
}
