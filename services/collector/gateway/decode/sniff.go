package decode

import (
	"encoding/json"
	"strings"
)

// Sniff guesses what a line of JSON is: "k8s-audit", "falco", "tetragon",
// "cloudevents", or "" when it is none of them. Of a list it looks at the first
// item. It is for telling people what they may have meant; nothing is decoded
// on its word.
func Sniff(line []byte) string {
	if begins(line, '[') {
		var items []json.RawMessage
		if json.Unmarshal(line, &items) != nil || len(items) == 0 {
			return ""
		}
		line = items[0]
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil {
		return ""
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if members[name] == nil {
				return false
			}
		}
		return true
	}
	var apiVersion string
	if raw := members["apiVersion"]; raw != nil && json.Unmarshal(raw, &apiVersion) != nil {
		apiVersion = ""
	}
	switch {
	case has("specversion", "type"):
		return "cloudevents"
	case strings.HasPrefix(apiVersion, "audit.k8s.io/"), has("auditID", "stage"):
		return "k8s-audit"
	case has("rule", "priority"):
		return "falco"
	}
	if _, err := kindOf(members); err == nil {
		return "tetragon"
	}
	return ""
}
