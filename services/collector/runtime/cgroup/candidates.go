package cgroup

import "strings"

// Candidate is an id that may be a container's.
type Candidate struct {
	ID   string
	Path string // of the cgroup that bears the id; nested ones lie below it
	Hex  bool   // 64 hexadecimal digits, as CRI and Docker make them: no service bears such a name
}

// Candidates gives the ids in a path, the outermost first. The outermost one
// that the runtime knows is the container: what lies below was made by its
// processes, whatever its name.
func Candidates(path string) []Candidate {
	var found []Candidate
	if !strings.HasPrefix(path, "/") {
		return nil
	}
	for begin := 0; begin < len(path); {
		end := len(path)
		if i := strings.IndexByte(path[begin+1:], '/'); i >= 0 {
			end = begin + 1 + i
		}
		if id, ok := idOf(path[begin+1 : end]); ok {
			found = append(found, Candidate{ID: id, Path: path[:end], Hex: isHex(id)})
		}
		begin = end
	}
	return found
}

// runtimes are the prefixes of scopes by systemd's cgroup driver.
var runtimes = [...]string{"cri-containerd-", "docker-", "crio-", "libpod-", "nerdctl-", "containerd-"}

// units are the endings of systemd's units that hold no container.
var units = [...]string{".slice", ".service", ".socket", ".mount", ".swap"}

// idOf takes the id from one name. Forms:
//
//	<id>                          cgroupfs driver
//	<runtime>-<id>.scope          systemd driver
//	<slice>:<runtime>:<id>        the two drivers confused, as containerd and kubelet can be
func idOf(name string) (string, bool) {
	if scope, ok := strings.CutSuffix(name, ".scope"); ok {
		return idOfScope(scope)
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	for _, u := range units {
		if strings.HasSuffix(name, u) {
			return "", false
		}
	}
	return name, isID(name)
}

func idOfScope(scope string) (string, bool) {
	for _, r := range runtimes {
		if id, ok := strings.CutPrefix(scope, r); ok && isID(id) {
			// The monitor of a container ("crio-conmon-<id>") is none itself.
			return id, !strings.HasPrefix(id, "conmon-")
		}
	}
	// A prefix of the operator's own is told by what follows it.
	id := scope[strings.LastIndexByte(scope, '-')+1:]
	return id, isHex(id)
}

// maxID is the longest id that containerd takes.
const maxID = 76

// isID follows containerd's rule for ids: letters and digits, and between them
// single '.', '_' or '-'.
func isID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	separated := true // an id does not begin with a separator
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (separated || c != '.' && c != '_' && c != '-') {
			return false
		}
		separated = !alnum
	}
	return !separated
}

func isHex(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
