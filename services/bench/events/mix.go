package events

import (
	"fmt"
	"math/rand/v2"
	"time"

	"firebreak/schemas"
)

// Mix makes events as a cluster of ten nodes with two hundred containers might
// tell of itself, for replays: of the types that the library waits for, one a
// millisecond, in the order of their times. Nearly all is what happens all day;
// a few things are what playbooks look for.
//
// The shares are an assumption, not a measurement: no two clusters are alike.
type Mix struct {
	rnd  *rand.Rand
	made int
	fill *Workload // for the blocks that both share
	pods []placedPod
}

const (
	mixNodes = 10
	mixPods  = 200
)

// placedPod is one container with what surrounds it.
type placedPod struct {
	host      *schemas.Host
	k8s       *schemas.K8s
	container *schemas.Container
}

// NewMix gives the mix of a seed.
func NewMix(seed uint64) *Mix {
	m := &Mix{rnd: rand.New(rand.NewPCG(seed, 3)), fill: New(seed, 1, 0)} //nolint:gosec // a measurement must be repeatable
	for i := range mixPods {
		k8s, container := m.fill.surroundings([]string{"shop", "billing", "search", "kube-system"}[i%4])
		m.pods = append(m.pods, placedPod{&schemas.Host{Name: fmt.Sprintf("n%d", i%mixNodes+1)}, k8s, container})
	}
	return m
}

// shares of the mix, in a thousand.
var shares = []struct {
	share int
	typ   string
	tool  string // who tells of it, in the source
	data  func(m *Mix, p placedPod) any
}{
	{440, schemas.ProcessStarted, "exec", (*Mix).started},
	{5, schemas.ExecStarted, "runtime", (*Mix).put},
	{200, schemas.ConnectionOpened, "exec", (*Mix).connected},
	{150, schemas.ContainerUsage, "usage", (*Mix).used},
	{5, schemas.ContainerExited, "runtime", (*Mix).exited},
	{150, schemas.APICalled, "audit", (*Mix).called},
	{20, schemas.FalcoRule, "falco", (*Mix).alerted},
	{10, schemas.FileChanged, "files", (*Mix).changed},
	{10, schemas.LoginSucceeded, "logins", (*Mix).loggedIn},
	{5, schemas.LoginFailed, "logins", (*Mix).loggedIn},
	{5, schemas.ImagePulled, "registry", (*Mix).pulled},
}

// Next gives the next event.
func (m *Mix) Next() (schemas.Event, error) {
	n, total := 0, 0
	for _, s := range shares {
		total += s.share
	}
	for at := m.rnd.IntN(total); at >= shares[n].share; n++ {
		at -= shares[n].share
	}
	s, p := shares[n], m.pods[m.rnd.IntN(len(m.pods))]
	m.made++
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(m.made) * time.Millisecond)
	return schemas.NewEvent(s.typ, "/bench/"+p.host.Name+"/"+s.tool, fmt.Sprintf("m%d", m.made), p.container.ID, at, s.data(m, p))
}

// helpers are what containers start all day, and servers what connects.
var (
	helpers = []string{"node", "python3", "java", "nginx", "curl", "cat", "grep", "date", "sleep", "ls", "pg_isready", "redis-cli", "worker", "envoy", "gunicorn", "tini"}
	servers = []string{"node", "java", "python3", "nginx", "envoy", "api", "worker", "coredns"}
)

// program is what a process runs: daemons' helpers nearly always, a shell once
// in a hundred times, a program that was dropped into the container once in
// a thousand.
func (m *Mix) program() (name, origin string, args []string) {
	switch n := m.rnd.IntN(10_000); {
	case n < 10:
		return "xmrig", "upper", []string{"xmrig", "-o", "pool.example:3333"}
	case n < 110:
		return "sh", "image", []string{"sh", "-c", "pg_isready -q"}
	default:
		name = helpers[n%len(helpers)]
		return name, "image", []string{name, "--config", "/etc/" + name + "/config.yaml"}
	}
}

func (m *Mix) process() *schemas.Process {
	name, origin, args := m.program()
	return &schemas.Process{
		PID: 1000 + m.rnd.IntN(1<<20), CommandArgs: args,
		Executable: &schemas.Executable{Name: name, Path: "/usr/bin/" + name, Origin: origin},
		Parent:     &schemas.Parent{PID: 1 + m.rnd.IntN(1000), Executable: &schemas.Executable{Name: "tini", Path: "/sbin/tini", Origin: "image"}},
	}
}

func (m *Mix) started(p placedPod) any {
	return schemas.ProcessEvent{Host: p.host, K8s: p.k8s, Container: p.container, Process: m.process(), User: &schemas.User{ID: "1000"}}
}

// put is a probe of the kubelet.
func (m *Mix) put(p placedPod) any {
	return schemas.ProcessEvent{Host: p.host, K8s: p.k8s, Container: p.container, Process: &schemas.Process{
		PID: 1000 + m.rnd.IntN(1<<20), CommandArgs: []string{"/probe", "--ready"}, Executable: &schemas.Executable{Name: "probe", Path: "/probe", Origin: "image"},
	}}
}

func (m *Mix) connected(p placedPod) any {
	server := servers[m.rnd.IntN(len(servers))]
	return schemas.ConnectionEvent{
		Host: p.host, K8s: p.k8s, Container: p.container,
		Process:     &schemas.Process{PID: 1000 + m.rnd.IntN(1<<20), Executable: &schemas.Executable{Name: server, Path: "/usr/bin/" + server, Origin: "image"}},
		Network:     &schemas.Network{Transport: "tcp", Type: "ipv4"},
		Source:      &schemas.Endpoint{Address: "10.1.0.7", Port: 32768 + m.rnd.IntN(28000)},
		Destination: &schemas.Endpoint{Address: fmt.Sprintf("10.2.0.%d", 1+m.rnd.IntN(20)), Port: []int{443, 5432, 6379, 53}[m.rnd.IntN(4)]},
	}
}

func (m *Mix) used(p placedPod) any {
	c := *p.container
	c.CPU = &schemas.CPU{Utilization: float64(m.rnd.IntN(500)) / 1000}
	c.Memory = &schemas.Memory{Usage: uint64(1<<26 + m.rnd.IntN(1<<24)), Limit: 1 << 28} //nolint:gosec // no sum of these is negative
	c.Pids = &schemas.Pids{Count: uint64(3 + m.rnd.IntN(20))}                            //nolint:gosec // as above
	return schemas.ContainerEvent{Host: p.host, K8s: p.k8s, Container: &c}
}

func (m *Mix) exited(p placedPod) any {
	c := *p.container
	c.Exit = &schemas.Exit{Code: uint32(m.rnd.IntN(2))} //nolint:gosec // 0 or 1
	return schemas.ContainerEvent{Host: p.host, K8s: p.k8s, Container: &c}
}

func (m *Mix) called(placedPod) any {
	resource := []string{"pods", "endpoints", "leases", "configmaps", "deployments"}[m.rnd.IntN(5)]
	return m.fill.call(resource, []string{"get", "list", "watch", "update"}[m.rnd.IntN(4)])
}

func (m *Mix) alerted(p placedPod) any {
	a := m.fill.alert("Read sensitive file untrusted", "cat")
	a.Host, a.K8s, a.Container = p.host, p.k8s, p.container
	a.Falco.Hostname, a.Falco.Priority = p.host.Name, "Warning"
	return a
}

func (m *Mix) changed(p placedPod) any {
	size := uint64(m.rnd.IntN(1 << 20)) //nolint:gosec // not negative
	return schemas.FileEvent{
		Host: p.host, Process: &schemas.Process{PID: 1 + m.rnd.IntN(1<<16), Executable: &schemas.Executable{Name: "rsyslogd", Path: "/usr/sbin/rsyslogd", Origin: "host"}},
		File: &schemas.File{Path: "/var/log/syslog", Name: "syslog", Change: "modified", Kind: "log", Size: &size, Mode: "0640", Owner: "syslog"},
	}
}

func (m *Mix) loggedIn(p placedPod) any {
	return schemas.LoginEvent{
		Host: p.host, User: &schemas.User{Name: fmt.Sprintf("operator%d", m.rnd.IntN(30))}, Client: &schemas.Client{Address: fmt.Sprintf("10.0.0.%d", 1+m.rnd.IntN(200))},
		Login: &schemas.Login{Service: "sshd", Method: "publickey"},
	}
}

func (m *Mix) pulled(placedPod) any {
	return schemas.ImageEvent{
		Registry: &schemas.Registry{Name: "registry.example"}, User: &schemas.User{Name: "kubelet"}, Client: &schemas.Client{Address: "10.0.0.7"},
		Image: &schemas.Image{Name: "shop/web", Tag: "1.25.3", Digest: "sha256:" + m.fill.id(64)},
	}
}
