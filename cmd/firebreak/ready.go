package main

import "sync"

// readiness knows who is not at work yet, and tells once when all are.
type readiness struct {
	mu      sync.Mutex
	waiting map[string]bool
	tell    func()
}

func newReadiness(names ...string) *readiness {
	r := &readiness{waiting: map[string]bool{}}
	for _, n := range names {
		r.waiting[n] = true
	}
	return r
}

func (r *readiness) wait(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[name] = true
}

func (r *readiness) done(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waiting, name)
	r.check()
}

// armed sets what is done when nobody is waited for any more.
func (r *readiness) armed(tell func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell = tell
	r.check()
}

func (r *readiness) check() {
	if len(r.waiting) == 0 && r.tell != nil {
		r.tell()
		r.tell = nil
	}
}
