package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"firebreak/schemas"
	"firebreak/schemas/intake"
	"firebreak/schemas/schemastest"

	"github.com/google/go-cmp/cmp"
)

// event is an audit event with members added or replaced.
func event(t testing.TB, with map[string]any) []byte {
	t.Helper()
	e := map[string]any{
		"auditID": "a", "stage": "ResponseComplete", "verb": "create", "level": "RequestResponse",
		"stageTimestamp": "2026-03-04T10:15:30Z", "responseStatus": map[string]any{"code": 201},
		"user":      map[string]any{"username": "alice"},
		"objectRef": map[string]any{"resource": "pods", "namespace": "shop", "name": "tool", "apiVersion": "v1"},
	}
	for k, v := range with {
		e[k] = v
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decoded gives the events of an input that has no error in it, checked.
func decoded(t *testing.T, data []byte, o Options) []schemas.Event {
	t.Helper()
	o.Source = source
	events, err := Audit(data, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		schemastest.Valid(t, e)
		if err := intake.Event(e); err != nil {
			t.Error(err)
		}
	}
	return events
}

func called(t *testing.T, e schemas.Event) schemas.AuditEvent {
	t.Helper()
	var a schemas.AuditEvent
	if err := json.Unmarshal(e.Data, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func privilegedPod(more string) json.RawMessage {
	return json.RawMessage(`{"kind":"Pod","metadata":{"name":"tool"},` + more + `"spec":{"containers":[{"image":"x","securityContext":{"privileged":true}}]}}`)
}

// What cannot be carried is left out and said to be; what it changed is told.
func TestObjectsThatCannotBeCarried(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	var keys []string
	for i := range 10_000 {
		keys = append(keys, fmt.Sprintf(`"k%d":1`, i))
	}
	for name, more := range map[string]string{
		"too large":                 `"pad":"` + strings.Repeat("x", DefaultMaxData) + `",`,
		"too deep":                  `"pad":` + nested + `,`,
		"too many keys":             `"pad":{` + strings.Join(keys, ",") + `},`,
		"a key twice":               `"pad":{"a":1,"a":2},`,
		"a key twice among many":    `"pad":{` + strings.Join(keys[:100], ",") + `,"k7":2},`,
		"a key twice by an escape":  `"pad":{"a":1,"\u0061":2},`,
		"a number beyond a float64": `"pad":1e999,`,
		"half of a surrogate pair":  `"pad":"\ud83d\u0041",`,
		"the other half":            `"pad":"\udca9",`,
		"a number without end":      `"pad":0.` + strings.Repeat("3", 1100) + `,`,
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Replace(event(t, map[string]any{"requestObject": "@"}), []byte(`"@"`), privilegedPod(more), 1)
			events := decoded(t, data, Options{})
			if len(events) != 2 {
				t.Fatalf("%d events, want 2", len(events))
			}
			if a := called(t, events[0]).Audit; !a.Cut || a.RequestObject != nil {
				t.Errorf("cut %v, object %.40v: want it left out", a.Cut, a.RequestObject)
			}
			var w schemas.WorkloadEvent
			if err := json.Unmarshal(events[1].Data, &w); err != nil {
				t.Fatal(err)
			}
			if !w.Workload.Privileged {
				t.Error("the pod is not told to be privileged")
			}
		})
	}
}

func TestWhatFitsIsKept(t *testing.T) {
	a := called(t, decoded(t, event(t, map[string]any{"requestObject": privilegedPod(`"pad":"\ud83d\udca9 \u00e9",`)}), Options{})[0]).Audit
	if a.Cut || a.RequestObject == nil {
		t.Errorf("cut %v, object %v", a.Cut, a.RequestObject)
	}
}

// Everything that a caller chooses can be long: the event must come all the same.
func TestLongTextsAreCutShort(t *testing.T) {
	long := strings.Repeat("é", 600_000)
	var addresses, groups []string
	for i := range 100_000 {
		addresses = append(addresses, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		groups = append(groups, fmt.Sprintf("group-%d", i))
	}
	for name, with := range map[string]map[string]any{
		"user agent":  {"userAgent": long},
		"request URI": {"requestURI": "/" + long},
		"addresses":   {"sourceIPs": addresses},
		"groups":      {"impersonatedUser": map[string]any{"groups": groups}},
		"verb":        {"verb": long},
		"name":        {"objectRef": map[string]any{"resource": "pods", "name": long}},
		"message":     {"responseStatus": map[string]any{"code": 404, "message": long}},
		"details":     {"responseStatus": map[string]any{"code": 404, "details": map[string]any{"a": strings.Split(long, "é")}}},
		"annotations": {"annotations": map[string]string{long: "a", "b": long}},
		"audit id":    {"auditID": long},
	} {
		t.Run(name, func(t *testing.T) {
			events := decoded(t, event(t, with), Options{})
			e := events[0]
			if len(e.Data) > DefaultMaxData || len(e.ID) > 1024 || len(e.Subject) > 1024 {
				t.Errorf("%d bytes of data, id of %d, subject of %d", len(e.Data), len(e.ID), len(e.Subject))
			}
			if !called(t, e).Audit.Cut {
				t.Error("it does not say that something is left out")
			}
		})
	}
}

func TestTooLargeEvenCutShort(t *testing.T) {
	if _, err := Audit(event(t, nil), Options{Source: source, MaxData: 50}); err == nil || !strings.Contains(err.Error(), "50 are the most") {
		t.Errorf("error %v", err)
	}
}

// The object that is left out is known by its UID all the same.
func TestUIDOfWhatIsLeftOut(t *testing.T) {
	for name, with := range map[string]map[string]any{
		"objects":        {},
		"and long texts": {"userAgent": strings.Repeat("x", DefaultMaxData)},
	} {
		with["responseObject"] = map[string]any{"kind": "Pod", "metadata": map[string]any{"uid": "u1"}, "pad": strings.Repeat("x", DefaultMaxData)}
		a := called(t, decoded(t, event(t, with), Options{})[0])
		if !a.Audit.Cut || a.K8s.Pod.UID != "u1" {
			t.Errorf("%s: cut %v, pod %+v", name, a.Audit.Cut, a.K8s.Pod)
		}
	}
}

// A derived event is made smaller until it fits, and says so.
func TestLongBindingIsCut(t *testing.T) {
	subjects := make([]map[string]string, 3000)
	for i := range subjects {
		subjects[i] = map[string]string{"kind": "User", "name": fmt.Sprintf("%0200d", i)}
	}
	data := event(t, map[string]any{
		"objectRef":     map[string]any{"resource": "clusterrolebindings", "apiGroup": "rbac.authorization.k8s.io", "name": "many"},
		"requestObject": map[string]any{"kind": "ClusterRoleBinding", "subjects": subjects},
	})
	for limit, want := range map[int]int{DefaultMaxData: 1000, 50_000: 100, 5_000: 10} {
		events := decoded(t, data, Options{MaxData: limit})
		var e schemas.RBACEvent
		if err := json.Unmarshal(events[1].Data, &e); err != nil {
			t.Fatal(err)
		}
		if len(e.RBAC.Subjects) != want || !e.RBAC.Cut {
			t.Errorf("limit %d: %d subjects, cut %v; want %d", limit, len(e.RBAC.Subjects), e.RBAC.Cut, want)
		}
	}
}

// A caller chooses the audit id by a header.
func TestStrangeAuditIDs(t *testing.T) {
	long := decoded(t, event(t, map[string]any{"auditID": strings.Repeat("a", 513)}), Options{})[0].ID
	if want := "sha256:02425c0f5b0dabf3d2b9115f3f7723a02ad8bcfb1534a0d231614fd42b8188f6/ResponseComplete/"; !strings.HasPrefix(long, want) {
		t.Errorf("id %q, want %q", long, want)
	}
	for _, id := range []string{"a\tb", "a\u0085b", "a\xffb"} {
		if got := decoded(t, event(t, map[string]any{"auditID": id}), Options{})[0].ID; !strings.HasPrefix(got, "sha256:") {
			t.Errorf("id %q of %q", got, id)
		}
	}
}

// Two calls with the same audit id are two events, and one told twice is one.
func TestTheAuditIDIsNoHidingPlace(t *testing.T) {
	id := func(change map[string]any) string { return decoded(t, event(t, change), Options{})[0].ID }
	first := id(nil)
	if again := id(nil); again != first {
		t.Errorf("ids %q and %q of one event", first, again)
	}
	for name, change := range map[string]map[string]any{
		"another time": {"stageTimestamp": "2026-11-26T12:00:01.000001Z"},
		"another URI":  {"requestURI": "/api/v1/secrets"},
	} {
		if other := id(change); other == first {
			t.Errorf("%s: the same id %q", name, other)
		}
	}
}

func TestHalvesOfPairsAreReplaced(t *testing.T) {
	for _, member := range []string{`"userAgent":"curl\ud800"`, `"user":{"username":"\udc00"}`, `"annotations":{"\ud800a":"\ud800"}`} {
		data := append(bytes.TrimSuffix(bytes.Replace(event(t, nil), []byte(`"user":{"username":"alice"},`), nil, 1), []byte("}")), ","+member+"}"...)
		data = bytes.Replace(data, []byte(`,"user":{"username":"alice"}`), nil, 1)
		if !called(t, decoded(t, data, Options{})[0]).Audit.Cut {
			t.Errorf("%s: it does not say that something was changed", member)
		}
	}
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	data := bytes.Replace(event(t, map[string]any{"userAgent": "curl@"}), []byte("curl@"), []byte("curl\xff"), 1)
	if got := called(t, decoded(t, data, Options{})[0]).UserAgent.Original; got != "curl\uFFFD" {
		t.Errorf("user agent %q", got)
	}
}

// Members that audit.k8s.io/v1 does not have do not break the contract, and
// nulls count as absent.
func TestUnknownMembersAreLeftOut(t *testing.T) {
	plain := event(t, nil)
	more := bytes.Replace(plain, []byte(`"username":"alice"`), []byte(`"username":"alice","new":{"a":1},"groups":null,"extra":{"a":null}`), 1)
	more = append(bytes.TrimSuffix(more, []byte("}")), `,"new":[],"sourceIPs":null,"level":"RequestResponse","annotations":null}`...)
	more = bytes.Replace(more, []byte(`"level":"RequestResponse",`), nil, 1)
	got, want := decoded(t, more, Options{})[0], decoded(t, plain, Options{})[0]
	a, b := called(t, got), called(t, want)
	a.Audit.User.Extra = nil // {} and absent
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
