package document

import "strings"

// Tree reads a YAML file that is no playbook, such as the tests beside one: as
// strictly as a playbook, as JSON, and with the place of everything in it. It
// is nil when nothing could be read.
func Tree(data []byte) (*Data, []Problem) {
	root, problem := parse(data)
	if problem != nil {
		if !strings.HasPrefix(problem.Message, "this is no YAML") {
			problem.Fix = "" // what parse advises is for playbooks
		}
		return nil, []Problem{*problem}
	}
	d := &decoder{lines: splitLines(data)}
	if d.bound(root, 0); len(d.problems) > 0 {
		return nil, d.problems
	}
	var out Data
	d.into(root, &out)
	return &out, d.problems
}
