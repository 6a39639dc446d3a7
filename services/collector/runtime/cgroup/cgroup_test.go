package cgroup

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

var (
	hex   = strings.Repeat("0123abcd", 8)
	other = strings.Repeat("89ef4567", 8)
)

func TestCandidates(t *testing.T) {
	tests := map[string]struct {
		path string
		want []Candidate
	}{
		"cgroupfs, kubelet": {
			"/kubepods/burstable/pod8c1e/" + hex,
			[]Candidate{
				{ID: "kubepods", Path: "/kubepods"},
				{ID: "burstable", Path: "/kubepods/burstable"},
				{ID: "pod8c1e", Path: "/kubepods/burstable/pod8c1e"},
				{ID: hex, Path: "/kubepods/burstable/pod8c1e/" + hex, Hex: true},
			},
		},
		"cgroupfs, containerd": {
			"/default/web.1",
			[]Candidate{{ID: "default", Path: "/default"}, {ID: "web.1", Path: "/default/web.1"}},
		},
		"systemd, kubelet": {
			"/kubepods.slice/kubepods-pod8c1e.slice/cri-containerd-" + hex + ".scope",
			[]Candidate{{ID: hex, Path: "/kubepods.slice/kubepods-pod8c1e.slice/cri-containerd-" + hex + ".scope", Hex: true}},
		},
		"systemd, docker": {
			"/system.slice/docker-" + hex + ".scope",
			[]Candidate{{ID: hex, Path: "/system.slice/docker-" + hex + ".scope", Hex: true}},
		},
		"systemd, nested in the container": {
			"/system.slice/docker-" + hex + ".scope/init.scope",
			[]Candidate{{ID: hex, Path: "/system.slice/docker-" + hex + ".scope", Hex: true}},
		},
		"systemd, a container inside a container": {
			"/system.slice/docker-" + hex + ".scope/kubelet.slice/cri-containerd-" + other + ".scope",
			[]Candidate{
				{ID: hex, Path: "/system.slice/docker-" + hex + ".scope", Hex: true},
				{ID: other, Path: "/system.slice/docker-" + hex + ".scope/kubelet.slice/cri-containerd-" + other + ".scope", Hex: true},
			},
		},
		"systemd, prefix of one's own": {
			"/a.slice/my-runtime-" + hex + ".scope",
			[]Candidate{{ID: hex, Path: "/a.slice/my-runtime-" + hex + ".scope", Hex: true}},
		},
		"systemd, chosen name": {
			"/system.slice/nerdctl-web-1.scope",
			[]Candidate{{ID: "web-1", Path: "/system.slice/nerdctl-web-1.scope"}},
		},
		"drivers confused": {
			"/kubepods-pod1.slice:cri-containerd:" + hex,
			[]Candidate{{ID: hex, Path: "/kubepods-pod1.slice:cri-containerd:" + hex, Hex: true}},
		},
		"crio's monitor":    {"/machine.slice/crio-conmon-" + hex + ".scope", nil},
		"podman's monitor":  {"/machine.slice/libpod-conmon-" + hex + ".scope", nil},
		"service":           {"/system.slice/ssh.service", nil},
		"session":           {"/user.slice/user-0.slice/session-3.scope", nil},
		"root":              {"/", nil},
		"nothing":           {"", nil},
		"not from the root": {"default/one.scope", nil},
		"no id":             {"/a..b/-c/d-/ü", nil},
		"too long":          {"/" + strings.Repeat("a", maxID+1), nil},
		"outside the cgroup namespace": {
			"/../" + hex, []Candidate{{ID: hex, Path: "/../" + hex, Hex: true}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Candidates(test.path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	tests := map[string]struct {
		text   string
		v1, v2 string
		err    error
	}{
		"version 1":      {"4:memory:/m/one\n3:cpu,cpuacct:/c/one\n2:freezer:/f/one\n1:name=systemd:/s\n", "/f/one", "", nil},
		"hybrid":         {"2:memory:/m/one\n0::/system.slice\n", "/m/one", "/system.slice", nil},
		"version 2":      {"0::/default/one\n", "", "/default/one", nil},
		"roots":          {"2:freezer:/\n1:memory:/m\n0::/\n", "/m", "", nil},
		"colons":         {"0::/a:b:c\n", "", "/a:b:c", nil},
		"a newline less": {"0::/a", "", "/a", nil},
		"empty":          {"", "", "", nil},
		"garbage":        {"hello\n", "", "", schemas.ErrInvalid},
		"no path":        {"1:memory:\n", "", "", schemas.ErrInvalid},
		"no number":      {"x:memory:/\n", "", "", schemas.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			entries, err := Parse(test.text)
			if !errors.Is(err, test.err) {
				t.Fatalf("error: %v", err)
			}
			v1, v2 := Paths(entries)
			if v1 != test.v1 || v2 != test.v2 {
				t.Errorf("got %q and %q", v1, v2)
			}
		})
	}
}

func FuzzCandidates(f *testing.F) {
	for _, p := range []string{"/", "/default/one", "/system.slice/docker-" + hex + ".scope", "//a:b/x.scope"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		last := 0
		for _, c := range Candidates(path) {
			if !strings.HasPrefix(path, c.Path) || len(c.Path) <= last || !strings.HasSuffix(strings.TrimSuffix(c.Path, ".scope"), c.ID) {
				t.Errorf("candidate %+v of %q", c, path)
			}
			last = len(c.Path)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("2:memory:/m/one\n0::/system.slice\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Parse(text); err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("class of %v", err)
		}
	})
}

func BenchmarkCandidates(b *testing.B) {
	path := "/kubepods/burstable/pod8c1e/" + hex
	b.ReportAllocs()
	for b.Loop() {
		if len(Candidates(path)) != 4 {
			b.Fatal("wrong")
		}
	}
}
