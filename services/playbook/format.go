package playbook

import "firebreak/services/playbook/document"

// Format writes a playbook in its canonical form: keys in the order of the
// author's guide, two spaces for each level, comments kept. To format what is
// formatted changes nothing. What cannot be read comes back as it was, with
// the reasons.
func Format(data []byte) ([]byte, []Finding) {
	out, problems := document.Format(data)
	c := &check{}
	for _, p := range problems {
		c.add(p.Place, SeverityError, p.Message, p.Fix)
	}
	return out, c.sorted()
}
