package near_test

import (
	"testing"

	"firebreak/services/playbook/near"
)

func TestNearest(t *testing.T) {
	known := []string{"process", "container", "host", "user", "k8s"}
	for word, want := range map[string]string{
		"proces": "process", "porcess": "process", "contianer": "container",
		"hots": "host", "zebra": "", "": "", "K8s": "k8s", "HOST": "host", "a": "",
	} {
		if got := near.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := near.Hint("usr", known); got != ` (did you mean "user"?)` {
		t.Errorf("Hint = %q", got)
	}
}
