package decode

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"

	"firebreak/schemas"
)

// Falco reads alerts of Falco as its JSON output writes them: one, or a list.
// Each is a falco.rule.output.v1; the alert stays whole under falco, unless that
// would be more than [Options.MaxData]: then its longest texts are cut, and
// " … " stands in them for what is left out.
//
// The entity blocks come from output_fields, so they hold what the rule's
// output names. Falco writes a command line as one string, in which an argument
// with a space cannot be told from two: it stays in output_fields, and
// process.command_args is there only where proc.args is a list. The host is
// known for system calls alone: with other sources (k8s_audit, cloud logs)
// falco.hostname is where Falco runs, not where it happened.
func Falco(data []byte, o Options) ([]schemas.Event, error) {
	return each("alert of Falco", data, o.falco)
}

func (o Options) falco(raw []byte) (schemas.Event, error) {
	var alert *schemas.Falco
	if err := read(raw, &alert); err != nil {
		return schemas.Event{}, err
	}
	switch {
	case alert == nil:
		return schemas.Event{}, invalid("it is null")
	case alert.Rule == "":
		return schemas.Event{}, invalid("it names no rule")
	case alert.Priority == "":
		return schemas.Event{}, invalid("it has no priority")
	}
	id := alert.UUID
	if id == "" {
		var err error
		if id, err = fingerprint(alert); err != nil {
			return schemas.Event{}, err
		}
	}
	var at time.Time
	if alert.Time != nil {
		at = *alert.Time
	}
	f := fields(alert.OutputFields)
	d := schemas.FalcoEvent{Falco: alert, Process: f.process(), User: f.user(), K8s: f.kubernetes(), Container: f.container()}
	if alert.Source == "" || alert.Source == "syscall" {
		d.Host = host(alert.Hostname)
	}
	return o.event(schemas.FalcoRule, id, subject(d.Container, d.K8s, d.Host), at, d, cutFalco(d.Process, alert))
}

// fields are the output fields of an alert.
type fields map[string]any

// text gives the first of the fields that says something. Falco writes null for
// what it does not know, and older ones <NA>.
func (f fields) text(names ...string) string {
	for _, name := range names {
		if s, is := f[name].(string); is && s != "" && s != "<NA>" {
			return s
		}
	}
	return ""
}

// number gives a whole number of 32 bits; Falco writes it as a number or as a
// text, by version. The largest one is the kernel's word for none.
func (f fields) number(name string) (uint32, bool) {
	var text string
	switch v := f[name].(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n != 1<<32-1
}

// texts gives a field that is a list of texts, or nil.
func (f fields) texts(name string) []string {
	list, _ := f[name].([]any)
	all := make([]string, 0, len(list))
	for _, v := range list {
		s, is := v.(string)
		if !is {
			return nil
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

func (f fields) container() *schemas.Container {
	id := f.text("container.full_id", "container.id")
	if id == "" || id == "host" {
		return nil
	}
	image := containerImage(f.text("container.image"))
	if name := f.text("container.image.repository"); name != "" {
		image = &schemas.ContainerImage{Name: name}
	}
	tag, digest := f.text("container.image.tag"), f.text("container.image.digest")
	if image == nil && (tag != "" || digest != "") {
		image = &schemas.ContainerImage{}
	}
	if image != nil {
		image.Tag, image.Digest = cmp.Or(tag, image.Tag), cmp.Or(digest, image.Digest)
	}
	return &schemas.Container{
		ID: id, Name: f.text("container.name"), Runtime: f.text("container.type"), Image: image,
	}
}

// kubernetes is the pod it happened in, or the one an audited call was about.
func (f fields) kubernetes() *schemas.K8s {
	namespace := f.text("k8s.ns.name", "ka.target.namespace")
	pod := schemas.Pod{Name: f.text("k8s.pod.name"), UID: f.text("k8s.pod.uid")}
	switch target := f.text("ka.target.name"); f.text("ka.target.resource") {
	case "pods":
		pod.Name = cmp.Or(pod.Name, target)
	case "namespaces":
		namespace = cmp.Or(namespace, target)
	}
	var k schemas.K8s
	if namespace != "" {
		k.Namespace = &schemas.Namespace{Name: namespace}
	}
	if pod.Name != "" || pod.UID != "" {
		k.Pod = &pod
	}
	if k == (schemas.K8s{}) {
		return nil
	}
	return &k
}

func (f fields) process() *schemas.ForeignProcess {
	p := schemas.ForeignProcess{
		PID:        f.pid("proc.pid"),
		Executable: executable(f.text("proc.exepath"), f.text("proc.name")),
	}
	if args := f.texts("proc.args"); args != nil {
		p.CommandArgs = append([]string{f.text("proc.exe", "proc.name")}, args...)
	}
	parent := schemas.ForeignParent{
		PID:        f.pid("proc.ppid"),
		Executable: executable(f.text("proc.pexepath"), f.text("proc.pname")),
	}
	if parent != (schemas.ForeignParent{}) {
		p.Parent = &parent
	}
	if p.PID == 0 && p.Executable == nil && p.CommandArgs == nil && p.Parent == nil {
		return nil
	}
	return &p
}

func (f fields) pid(name string) int {
	n, ok := f.number(name)
	if !ok || n >= 1<<31 {
		return 0
	}
	return int(n)
}

// user is who ran the process, or who called the API.
func (f fields) user() *schemas.User {
	u := schemas.User{Name: f.text("user.name", "ka.user.name"), Groups: f.texts("ka.user.groups")}
	if id, ok := f.number("user.uid"); ok {
		u.ID = strconv.FormatUint(uint64(id), 10)
	}
	if u.ID == "" && u.Name == "" && u.Groups == nil {
		return nil
	}
	return &u
}
