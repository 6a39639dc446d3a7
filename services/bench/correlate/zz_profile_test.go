package correlate_test

import (
	"os"
	"strconv"
	"testing"
	"encoding/json"

	"firebreak/playbooks"
	"firebreak/services/playbook"
	"firebreak/services/bench/correlate"
	"firebreak/services/responder/action"
)

func TestProfile(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	var r any
	var err error
	switch os.Getenv("WHAT") {
	case "pipeline":
		r, err = correlate.Pipeline{Seed: 1, N: n, Rounds: 2, Playbooks: 1000, Share: 0.01, Dir: t.TempDir(), Specs: action.Specs()}.Run(t.Context())
	case "replay":
		library, _ := playbook.FromFS(playbooks.FS, "")
		r, err = correlate.Replay{Seed: 1, N: n, Rounds: 3, Dir: t.TempDir(), Library: library, Specs: action.Specs()}.Run(t.Context())
	case "match":
		r, err = correlate.Match{Seed: 1, N: n, Rounds: 3, Playbooks: []int{10, 10000}, Rates: []float64{0.1}, Specs: action.Specs()}.Run(t.Context())
	case "hostile":
		r, err = correlate.Hostile{Seed: 1, Playbooks: n, Repeats: 10, Specs: action.Specs()}.Run(t.Context())
	default:
		t.Skip()
	}
	if err != nil { t.Fatal(err) }
	raw, _ := json.Marshal(r)
	t.Log(string(raw))
}
