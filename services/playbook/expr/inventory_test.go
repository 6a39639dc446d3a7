package expr_test

import (
	"errors"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/services/playbook/expr"

	"github.com/google/go-cmp/cmp"
)

// shelf is an inventory that keeps a note of what it was asked.
type shelf struct {
	asked []string
	err   error
}

func (s *shelf) Look(kind, key string) ([]map[string]any, error) {
	s.asked = append(s.asked, kind+" "+key)
	if key != "sha256:a" || s.err != nil {
		return nil, s.err
	}
	return []map[string]any{
		{"id": "c1", "uid": nil, "container": map[string]any{"id": "c1", "pid": 41.0}, "k8s": map[string]any{"namespace": map[string]any{"name": "shop"}}},
		{"id": "c2", "container": map[string]any{"id": "c2", "pid": 42.0}},
	}, nil
}

var pushed = expr.Scope{Signals: map[string][]string{"push": {schemas.ImagePushed}}, Lookups: true}

func TestInventory(t *testing.T) {
	t.Parallel()
	vars := map[string]any{"signals": map[string]any{"push": map[string]any{"image": map[string]any{"name": "a", "digest": "sha256:a"}}}}
	for _, tt := range []struct {
		name, text string
		want       any
		asked      []string
	}{
		{"all of them", `inventory.containers(signals.push.image.digest)`, []any{
			map[string]any{"id": "c1", "container": map[string]any{"id": "c1", "pid": int64(41)}, "k8s": map[string]any{"namespace": map[string]any{"name": "shop"}}},
			map[string]any{"id": "c2", "container": map[string]any{"id": "c2", "pid": int64(42)}},
		}, []string{"container sha256:a"}},
		{"none", `inventory.pods("shop/web")`, []any{}, []string{"pod shop/web"}},
		{"some of them", `inventory.containers(signals.push.image.digest).filter(c, c.?k8s.?namespace.?name.orValue("") == "shop").map(c, c.id)`, []any{"c1"}, []string{"container sha256:a"}},
		{"a number", `inventory.containers(signals.push.image.digest)[1].container.pid + 1`, int64(43), []string{"container sha256:a"}},
		{"both", `size(inventory.pods("x")) + size(inventory.containers("sha256:a"))`, int64(2), []string{"pod x", "container sha256:a"}},
		{"whether there is any", `inventory.containers("sha256:a").exists(c, has(c.k8s.namespace.name))`, true, []string{"container sha256:a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.StepIn(tt.text, expr.Any, pushed)
			if err != nil {
				t.Fatal(err)
			}
			if !p.UsesInventory() {
				t.Error("it is not said to use the inventory")
			}
			s := &shelf{}
			got, err := p.EvalIn(vars, s)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.asked, s.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if _, err := p.Eval(vars); err == nil || errors.Is(err, expr.ErrAbsent) || !strings.Contains(err.Error(), "there is no inventory to look into here") {
				t.Errorf("without an inventory: %v", err)
			}
		})
	}
}

func TestInventoryFails(t *testing.T) {
	t.Parallel()
	p, err := expr.StepIn(`inventory.pods("x")`, expr.Any, pushed)
	if err != nil {
		t.Fatal(err)
	}
	away := errors.New("the bus is away")
	if _, err := p.EvalIn(nil, &shelf{err: away}); !errors.Is(err, away) {
		t.Errorf("got %v, want %v within", err, away)
	}
}

func TestInventoryProblems(t *testing.T) {
	t.Parallel()
	const elsewhere = "the inventory can be asked in `target` and `when` of a step alone"
	for _, tt := range []struct{ name, text, want string }{
		{"an unknown look-up", `inventory.pod("x")`, "1:1: unknown look-up inventory.pod (did you mean inventory.pods?)"},
		{"nothing asked", `inventory.pods()`, "1:1: inventory.pods takes one identity"},
		{"a number", `inventory.pods(1)`, "1:15: no such operation: 'inventory.pods'"},
		{"alone", `inventory`, "unknown field inventory"},
		{"a misspelt field", `inventory.pods(signals.push.image.digst)`, "did you mean signals.push.image.digest?"},
	} {
		_, err := expr.StepIn(tt.text, expr.Any, pushed)
		var problems expr.Problems
		if !errors.As(err, &problems) || !strings.Contains(show(problems), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	if _, err := expr.Condition(`size(inventory.pods(host.name)) > 0`, schemas.ProcessStarted); err == nil || !strings.Contains(err.Error(), elsewhere) {
		t.Errorf("in a condition: %v", err)
	}
	if _, err := expr.StepIn(`inventory.pods("x")`, expr.Any, expr.Scope{}); err == nil || !strings.Contains(err.Error(), elsewhere) {
		t.Errorf("in a text: %v", err)
	}
	if p, err := expr.StepIn(`signals.push.image.name`, expr.Any, pushed); err != nil || p.UsesInventory() {
		t.Errorf("what looks nothing up: %v", err)
	}
}

// TestInventoryIsBounded: look-ups in loops end with the cost.
func TestInventoryIsBounded(t *testing.T) {
	t.Parallel()
	scope := expr.Scope{Signals: map[string][]string{"start": {schemas.ProcessStarted}}, Lookups: true}
	p, err := expr.StepIn(`signals.start.process.command_args.all(a, size(inventory.pods(a)) >= 0)`, expr.Bool, scope)
	if err != nil {
		t.Fatal(err)
	}
	args := make([]any, 100_000)
	for i := range args {
		args[i] = "a"
	}
	s := &shelf{}
	vars := map[string]any{"signals": map[string]any{"start": map[string]any{"process": map[string]any{"command_args": args}}}}
	if _, err := p.EvalIn(vars, s); !errors.Is(err, expr.ErrCost) {
		t.Errorf("got %v, want an error of the class ErrCost", err)
	}
	if len(s.asked) > 5000 {
		t.Errorf("asked %d times", len(s.asked))
	}
}
