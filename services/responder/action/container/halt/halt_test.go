package halt

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	id  = "5bd10d2f8a3c4e6f9b7a1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f"
	uid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
)

func TestParseMounts(t *testing.T) {
	const (
		v1 = "30 29 0:26 / /sys/fs/cgroup/freezer rw,relatime shared:9 - cgroup cgroup rw,freezer\n"
		v2 = "42 29 0:39 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	for name, tc := range map[string]struct {
		text string
		want Host
	}{
		"hybrid":                {v1 + v2, Host{"/sys/fs/cgroup/freezer", "/sys/fs/cgroup/unified"}},
		"v1":                    {v1, Host{V1: "/sys/fs/cgroup/freezer"}},
		"v2":                    {"42 29 0:39 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", Host{V2: "/sys/fs/cgroup"}},
		"two controllers":       {"30 29 0:26 / /c rw - cgroup cgroup rw,devices,freezer\n", Host{V1: "/c"}},
		"another controller":    {"30 29 0:26 / /c rw - cgroup cgroup rw,devices\n", Host{}},
		"a part of a hierarchy": {"42 29 0:39 /kubepods /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", Host{}},
		"nothing":               {"", Host{}},
		"cut":                   {"42 29 0:39 / /sys/fs/cgroup rw - cgroup2\n", Host{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parseMounts(tc.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOwn(t *testing.T) {
	hybrid := Host{"/v1", "/v2"}
	for name, tc := range map[string]struct {
		host       Host
		text, id   string
		v1, v2     string
		parentOf   string
		wantParent string
	}{
		"kubelet": {
			host: hybrid, id: id, parentOf: uid,
			text: "6:freezer:/kubepods/burstable/pod" + uid + "/" + id + "\n0::/\n",
			v1:   "/kubepods/burstable/pod" + uid + "/" + id, wantParent: "/kubepods/burstable/pod" + uid,
		},
		"systemd": {
			host: Host{V2: "/v2"}, id: id, parentOf: uid,
			text:       "0::/kubepods.slice/kubepods-pod0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0.slice/cri-containerd-" + id + ".scope\n",
			v2:         "/kubepods.slice/kubepods-pod0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0.slice/cri-containerd-" + id + ".scope",
			wantParent: "/kubepods.slice/kubepods-pod0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0.slice",
		},
		"a cgroup of its own below": {
			host: hybrid, id: id, text: "6:devices,freezer:/default/" + id + "/init.scope\n0::/default/" + id + "\n",
			v1: "/default/" + id, v2: "/default/" + id,
		},
		"another pod's parent":        {host: hybrid, id: id, parentOf: "11111111-2222-3333-4444-555555555555", text: "6:freezer:/pod" + uid + "/" + id + "\n", v1: "/pod" + uid + "/" + id},
		"a parent that all share":     {host: hybrid, id: id, parentOf: uid, text: "6:freezer:/default/" + id + "\n", v1: "/default/" + id},
		"not its own":                 {host: hybrid, id: id, text: "6:freezer:/\n0::/system.slice/x.service\n"},
		"a short id inside a name":    {host: hybrid, id: "web", text: "6:freezer:/default/cobweb\n"},
		"a short id":                  {host: hybrid, id: "web", text: "6:freezer:/default/web\n", v1: "/default/web"},
		"outside of our namespace":    {host: hybrid, id: id, text: "6:freezer:/../" + id + "\n"},
		"no id":                       {host: hybrid, text: "6:freezer:/default/x\n"},
		"a path with colons":          {host: hybrid, id: id, text: "6:freezer:/a:b/" + id + "\n", v1: "/a:b/" + id},
		"another hierarchy's freezer": {host: hybrid, id: id, text: "6:name=freezer:/" + id + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			v1, v2 := tc.host.own(tc.text, tc.id)
			if diff := cmp.Diff([]string{tc.v1, tc.v2}, []string{v1, v2}); diff != "" {
				t.Error(diff)
			}
			if p := tc.host.Parent(Place{V1: v1, V2: v2}, tc.parentOf); p.Path != tc.wantParent {
				t.Errorf("parent %q, want %q", p.Path, tc.wantParent)
			}
		})
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 7 0 4242 1 2\n"
	want := Stat{State: 'S', PPID: 1, CPU: 150, Threads: 7, Start: 4242}
	for _, comm := range []string{"sh", "a b", "x) S (y", "))((", ""} {
		want.Comm = comm
		got, err := parseStat([]byte("17 (" + comm + ")" + rest))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", comm, err, diff)
		}
	}
	for _, bad := range []string{"", "17", "17 (x", "17 )x(", "17 (x) S 1 2", "17 (x) S a 2 3 4 5 6 7 8 9 10 1 1 0 0 20 0 7 0 1"} {
		if s, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: read as %+v", bad, s)
		}
	}
}

func TestGone(t *testing.T) {
	if (Place{PID: os.Getpid(), Start: 1}).Alive() {
		t.Error("a pid that was used anew counts as alive")
	}
	if _, err := (Host{V1: "/v1"}).Locate(1<<22+1, id); err == nil {
		t.Error("found a process that cannot be")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("17 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 7 0 4242"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(b); err == nil && s.State == 0 {
			t.Errorf("%q: no state", b)
		}
	})
}

func FuzzOwn(f *testing.F) {
	f.Add("6:freezer:/kubepods/"+id+"\n0::/x\n", id)
	f.Fuzz(func(t *testing.T, text, id string) {
		v1, v2 := Host{"/v1", "/v2"}.own(text, id)
		for _, p := range []string{v1, v2} {
			if p == "/" || p != "" && id == "" {
				t.Errorf("%q, %q: own cgroup %q", text, id, p)
			}
		}
	})
}
