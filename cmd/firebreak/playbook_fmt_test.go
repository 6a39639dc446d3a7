package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firebreak/services/playbook"
)

const unformatted = `# a comment
kind: Playbook
apiVersion: firebreak/v1
metadata: {arena: host, name: p, summary: s, severity: low}
on:
    fail: {type: host.login.failed}   # beside
then:
    - do: notify.log
`

func TestFmt(t *testing.T) {
	want, findings := playbook.Format([]byte(unformatted))
	if playbook.Failed(findings) || string(want) == unformatted {
		t.Fatalf("nothing to format: %v", findings)
	}
	dir := t.TempDir()
	file, link, bad, test := filepath.Join(dir, "p.yaml"), filepath.Join(t.TempDir(), "link.yaml"), filepath.Join(dir, "sub", "bad.yaml"), filepath.Join(dir, "p.test.yaml")
	if err := os.Mkdir(filepath.Dir(bad), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: unformatted, bad: "kind: [", test: "playbook:   p\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	is := func(name, text string) {
		t.Helper()
		if raw, err := os.ReadFile(name); err != nil || string(raw) != text {
			t.Errorf("%s: %v\n%s", name, err, raw)
		}
	}
	step := func(in string, code int, want string, args ...string) string {
		t.Helper()
		out, errOut, got := cli(t, in, append([]string{"playbook", "fmt"}, args...)...)
		if got != code || !strings.Contains(errOut, want) {
			t.Errorf("%v: exit %d, want %d and %q in %q", args, got, code, want, errOut)
		}
		return out
	}
	if out := step("", exitOK, "", file); out != string(want) {
		t.Errorf("printed:\n%s", out)
	}
	if out := step(unformatted, exitOK, "", "-"); out != string(want) {
		t.Errorf("of standard input:\n%s", out)
	}
	is(file, unformatted)
	if out := step("", exitFailed, bad, "--check", dir); out != file+"\n" {
		t.Errorf("named: %q", out)
	}
	is(file, unformatted)
	if out := step("", exitFailed, bad, "-w", link, bad); out != link+"\n" {
		t.Errorf("written: %q", out)
	}
	is(file, string(want))
	is(bad, "kind: [")
	is(test, "playbook:   p\n")
	if info, err := os.Lstat(file); err != nil || info.Mode() != 0o640 {
		t.Errorf("the mode has changed: %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v", err)
	}
	if out := step("", exitOK, "", "--check", "--json", file); out != `{"file":"`+file+`","changed":false}`+"\n" {
		t.Errorf("json: %q", out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	step("", exitUsage, "name a playbook")
	step("", exitUsage, "give one of them", "-w", "--check", file)
	step("", exitUsage, "no file to write", "-w", "-")
	step("", exitUsage, "too many to be printed", file, bad)
	step("", exitUsage, "there is no", filepath.Join(dir, "none.yaml"))
	step("", exitUsage, "no playbook in", t.TempDir())
}
