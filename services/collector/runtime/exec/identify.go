package exec

import (
	"path"
	"strings"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/runtime"
	"firebreak/services/collector/runtime/cgroup"
	"firebreak/services/collector/runtime/exec/decode"
)

// found is what the cgroups of a process lead to.
type found struct {
	in        cgroup.Candidate
	container schemas.Container
	k8s       *schemas.K8s
	sure      bool // the runtime knows it
	maybe     bool // it may be one that the runtime does not know yet
	torn      bool // it is one of several that the runtime knows by this id
}

// identifier finds the container of a process.
//
// A look-up of what is no container may be slow, and most names in a path are
// none, so they are asked for as rarely as can be.
type identifier struct {
	lookup Lookup
	places map[decode.Cgroups]cgroup.Candidate // where a container was found before
	absent map[absence]answer                  // not asked again for a while
}

// absence is a cgroup that was no container's. It is remembered apart for
// processes with a mount namespace of their own: the runtime's set-up, which
// has none yet, must not hide the first program of the container.
type absence struct {
	cgroup string
	own    bool
}

// answer is what is remembered of an absence.
type answer struct {
	until time.Time
	torn  bool // there were several
}

const (
	absentFor  = time.Second
	maxEntries = 4096 // of each table; a full one is emptied
)

func newIdentifier(l Lookup) identifier {
	return identifier{lookup: l, places: map[decode.Cgroups]cgroup.Candidate{}, absent: map[absence]answer{}}
}

func (i *identifier) find(e *decode.Exec) found {
	if c, ok := i.places[e.Cgroups]; ok {
		if f, ok := i.known(c, !c.Hex); ok {
			return f
		}
		delete(i.places, e.Cgroups)
	}
	f := i.search(e)
	if f.sure {
		if len(i.places) >= maxEntries {
			clear(i.places)
		}
		i.places[e.Cgroups] = f.in
	}
	return f
}

func (i *identifier) search(e *decode.Exec) found {
	own := e.MountNS != e.HostMount // what no container is without
	all := append(cgroup.Candidates(e.Cgroups.V1), cgroup.Candidates(e.Cgroups.V2)...)
	// First those that are most likely one, at the very place the runtime told:
	// then nobody has chosen the name of a cgroup within his own container.
	for _, c := range all {
		if !c.Hex || i.isAbsent(c.Path, own) {
			continue
		}
		if f, ok := i.known(c, true); ok {
			return f
		}
	}
	var f found
	for _, c := range all {
		was, gone := i.absence(c.Path, own)
		several := was.torn
		if !gone {
			got, ok := i.known(c, !c.Hex)
			if ok {
				return got
			}
			several = got.torn
		}
		f.torn = f.torn || several
		switch {
		case c.Hex && !f.in.Hex: // the outermost of these, should none be known
			f.in, f.maybe = c, !gone
		case c.Hex || f.in.Hex:
		case own || several: // the innermost: those around it are more likely its parents' names
			f.in, f.maybe = c, !gone
		case !gone:
			i.miss(c.Path, own, false)
		}
	}
	return f
}

func (i *identifier) known(c cgroup.Candidate, placed bool) (found, bool) {
	container, k8s, ok := i.lookup.Container(c.ID)
	if !ok {
		return i.namesake(c)
	}
	if placed && !bears(container.Cgroup, c) {
		return found{}, false
	}
	return found{in: c, container: container, k8s: k8s, sure: true}, true
}

// namesake settles which of several containers of an id a cgroup belongs to:
// the one that was told to have it, else the only one that can have it.
func (i *identifier) namesake(c cgroup.Candidate) (found, bool) {
	all := i.lookup.Named(c.ID)
	if len(all) == 0 {
		return found{}, false
	}
	for _, fits := range [...]func(runtime.Facts) bool{
		func(f runtime.Facts) bool { return f.Container.Cgroup == c.Path && f.State != runtime.Exited },
		func(f runtime.Facts) bool {
			return told(f.Container.Cgroup) && bears(f.Container.Cgroup, c) && f.State != runtime.Exited
		},
		func(f runtime.Facts) bool { return bears(f.Container.Cgroup, c) },
	} {
		one, n := 0, 0
		for j := range all {
			if fits(all[j]) {
				one, n = j, n+1
			}
		}
		if n == 1 {
			return found{in: c, container: all[one].Container, k8s: all[one].K8s, sure: true}, true
		}
		if n > 1 {
			return found{torn: true}, false
		}
	}
	return found{}, false
}

func (i *identifier) absence(path string, own bool) (answer, bool) {
	a, ok := i.absent[absence{path, own}]
	if !ok || !time.Now().Before(a.until) {
		return answer{}, false
	}
	return a, true
}

func (i *identifier) isAbsent(path string, own bool) bool {
	_, is := i.absence(path, own)
	return is
}

func (i *identifier) miss(path string, own, torn bool) {
	if len(i.absent) >= maxEntries {
		clear(i.absent)
	}
	i.absent[absence{path, own}] = answer{time.Now().Add(absentFor), torn}
}

// giveUp remembers that no cgroup of a process is a container's.
func (i *identifier) giveUp(e *decode.Exec, torn bool) {
	for _, p := range [...]string{e.Cgroups.V1, e.Cgroups.V2} {
		for _, c := range cgroup.Candidates(p) {
			i.miss(c.Path, e.MountNS != e.HostMount, torn)
		}
	}
}

// bears checks, where the runtime told the container's cgroup, that an id which
// could be any name stands at its place in the path. The runtime may see the
// path from a cgroup namespace, and a container may have moved further down.
func bears(where string, c cgroup.Candidate) bool {
	if !told(where) {
		return true
	}
	name := "/" + path.Base(c.Path)
	for {
		at := strings.LastIndex(where, name)
		if at < 0 {
			return false
		}
		if end := at + len(name); end == len(where) || where[end] == '/' {
			return strings.HasSuffix(c.Path, where[:end])
		}
		where = where[:at]
	}
}

// told says whether a container's cgroup is known, and not merely how systemd
// was asked for it.
func told(where string) bool { return where != "" && !strings.Contains(where, ":") }
