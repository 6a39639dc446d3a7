package replay_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"firebreak/schemas"
	"firebreak/services/playbook"
	"firebreak/services/responder/action"
	"firebreak/services/workshop/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the events of these tests begin.
var start = time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)

// load compiles playbooks, each given from `on` on.
func load(t interface {
	Helper()
	Fatal(...any)
}, texts map[string]string,
) *playbook.Set {
	t.Helper()
	var sources []playbook.Source
	for name, text := range texts {
		sources = append(sources, playbook.Source{Name: name + ".yaml", Data: fmt.Appendf(nil,
			"apiVersion: firebreak/v1\nkind: Playbook\nmetadata: {name: %s, summary: s, arena: host, severity: high}\n%s\nthen: [{do: notify.log, with: {text: hello}}]\n", name, text)})
	}
	set, findings := playbook.Load(sources, action.Specs())
	if set == nil {
		t.Fatal(findings)
	}
	return set
}

// logins waits for one failed login, three of them, or failures and then success.
var logins = map[string]string{
	"single": "on: {fail: {type: host.login.failed, when: user.name == \"root\"}}\nmatch: {by: user.name}\nonce: 1h",
	"count":  "on: {fail: {type: host.login.failed}}\nmatch: {count: {of: fail, atLeast: 3}, by: user.name, within: 5m}\nonce: 10m",
	"sequence": "on:\n  fail: {type: host.login.failed}\n  ok: {type: host.login.succeeded}\n" +
		"match: {sequence: [fail, ok], by: user.name, within: 30m}\nonce: 10m",
	"absent": "on:\n  fail: {type: host.login.failed}\n  ok: {type: host.login.succeeded}\n" +
		"match: {absent: {after: fail, expect: ok}, by: user.name, within: 1m}\nonce: 10m",
}

// login is the n-th event, some seconds after the start.
func login(n, seconds int, ok bool, user string) string {
	typ := schemas.LoginFailed
	if ok {
		typ = schemas.LoginSucceeded
	}
	return fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"/c/n1/logins","type":%q,"time":%q,"data":{"host":{"name":"n1"},"user":{"name":%q}}}`,
		n, typ, start.Add(time.Duration(seconds)*time.Second).Format(time.RFC3339Nano), user)
}

// file writes one, packed when its name says so.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	raw := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		raw = packed(t, text)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read gives all events of files, and what was wrong with them.
func read(t *testing.T, f *replay.Files) (events []schemas.Event, bad []string, err error) {
	t.Helper()
	f.Bad = func(b replay.Bad) { bad = append(bad, b.Error()) }
	if f.As == "" {
		f.As = "cloudevents"
	}
	err = f.Each(t.Context(), func(e schemas.Event) error {
		events = append(events, e)
		return nil
	})
	if closed := f.Close(); closed != nil {
		t.Error(closed)
	}
	return events, bad, err
}
