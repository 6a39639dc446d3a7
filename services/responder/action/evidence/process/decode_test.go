package process

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func line(comm string) string {
	f := []string{"S", "7"}
	for len(f) < 52-2 {
		f = append(f, "0")
	}
	f[19], f[45], f[46] = "4242", "1000", "1010"
	return "17 (" + comm + ") " + strings.Join(f, " ") + "\n"
}

func TestParseStat(t *testing.T) {
	want := stat{state: "S", ppid: 7, start: 4242, argStart: 1000, argEnd: 1010}
	for _, comm := range []string{"sh", "a b", "x) R 1 (y", "))((", "", "new\nline"} {
		want.comm = comm
		got, err := parseStat([]byte(line(comm)))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(stat{})); diff != "" || err != nil {
			t.Errorf("%q: %v %s", comm, err, diff)
		}
	}
	good := line("x")
	for _, bad := range []string{"", "17", "17 (x", "17 )x(", "17 (x) S 1 2", strings.Replace(good, " 7 ", " a ", 1), strings.Replace(good, "4242", "-1", 1), strings.Replace(good, "1010", "x", 1)} {
		if s, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: read as %+v", bad, s)
		}
	}
}

func TestVariables(t *testing.T) {
	for name, tc := range map[string]struct {
		in    string
		cut   bool
		names []string
		odd   int
	}{
		"none":                  {},
		"some":                  {in: "A=1\x00B=\x00c.d-e=x=y\x00", names: []string{"A", "B", "c.d-e"}},
		"not ended":             {in: "A=1\x00B=2", names: []string{"A", "B"}},
		"cut in a value":        {in: "A=1\x00B=se", cut: true, names: []string{"A"}},
		"cut in the first":      {in: "A=se", cut: true},
		"no name":               {in: "A=1\x00secret\x00=x\x00", names: []string{"A"}, odd: 2},
		"a value's rest":        {in: "s3cret/value+x==\x00A=1\x00", names: []string{"A"}, odd: 1},
		"begins with a digit":   {in: "1a=x\x00", odd: 1},
		"holes":                 {in: "A=1\x00\x00\x00B=2\x00\x00", names: []string{"A", "B"}},
		"a name without an end": {in: strings.Repeat("A", maxName+1) + "=x\x00", odd: 1},
		"a line break":          {in: "A=1\nB=2\x00", names: []string{"A"}},
	} {
		names, odd := variables([]byte(tc.in), tc.cut)
		if diff := cmp.Diff(tc.names, names); diff != "" || odd != tc.odd {
			t.Errorf("%s: %d odd %s", name, odd, diff)
		}
	}
}

func TestPrograms(t *testing.T) {
	const maps = `00400000-00401000 r-xp 00000000 08:02 17                         /bin/a b
00600000-00601000 r--p 00000000 08:02 17                         /bin/a b
00700000-00701000 r-xp 00001000 08:02 17                         /bin/a b
00800000-00801000 r-xp 00000000 00:01 18                         /memfd:x (deleted)
00810000-00811000 r-xp 00000000 08:02 19                         /bin/new\012line
00820000-00821000 rwxp 00000000 00:00 0
00830000-00831000 rwxp 00000000 00:00 0                          [heap]
7fff0000-7fff1000 r-xp 00000000 00:00 0                          [vdso]
`
	files, anonymous := programs([]byte(maps))
	want := []Mapping{
		{Path: "/bin/a b", Device: "08:02", Inode: 17},
		{Path: "/memfd:x", Device: "00:01", Inode: 18, Deleted: true},
		{Path: `/bin/new\012line`, Device: "08:02", Inode: 19},
	}
	if diff := cmp.Diff(want, files); diff != "" || anonymous != 2 {
		t.Errorf("%d anonymous %s", anonymous, diff)
	}
}

func TestStatus(t *testing.T) {
	var p Process
	status([]byte("Name:\tx\\nUid:\t9\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nNSpid:\t100\t7\t1\nCapEff:\t00000000a80425fb\n"), &p)
	want := Process{UID: []int{1, 2, 3, 4}, GID: []int{5, 6, 7, 8}, Inside: []int{7, 1}, Caps: "00000000a80425fb"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}

func TestMountOf(t *testing.T) {
	const mounts = "30 29 0:26 / /proc rw - proc proc rw\n31 29 0:40 / /x rw shared:9 - fuse.sshfs h rw\n3 1 0:9 /\n"
	for id, want := range map[string][2]string{"31": {"fuse.sshfs", "0:40"}, "3": {}, "": {}} {
		if kind, device := mountOf(id, mounts); kind != want[0] || device != want[1] {
			t.Errorf("%q: %q on %q", id, kind, device)
		}
	}
	if id := mountID("pos:\t0\nflags:\t012\nmnt_id:\t31\nino:\t5\n"); id != "31" {
		t.Errorf("mount %q", id)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(line("a) b")))
	f.Add([]byte("A=1\x00secret\x00=x"))
	f.Add([]byte("00400000-00401000 r-xp 00000000 08:02 17    /bin/a\n"))
	f.Add([]byte("Uid:\t1 2\nNSpid:\t1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseStat(b); err == nil && (s.state == "" || ticks(s.start) < 0) {
			t.Errorf("%q: %+v", b, s)
		}
		for _, cut := range []bool{true, false} {
			names, _ := variables(b, cut)
			for _, n := range names {
				if strings.ContainsAny(n, "=\x00\n/+") || n == "" || len(n) > maxName {
					t.Errorf("%q: name %q", b, n)
				}
			}
		}
		seen := map[Mapping]bool{}
		files, anonymous := programs(b)
		for _, m := range files {
			if seen[m] || m.Inode == 0 {
				t.Errorf("%q: %+v", b, m)
			}
			seen[m] = true
		}
		if anonymous < 0 {
			t.Error(anonymous)
		}
		status(b, &Process{})
		mountOf(mountID(string(b)), string(b))
	})
}
