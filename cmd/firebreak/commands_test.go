package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
)

// TestCompletionOfAnUnknownShell: a misspelt shell is a mistake, not a page of help.
func TestCompletionOfAnUnknownShell(t *testing.T) {
	if out, errOut, code := cli(t, "", "completion", "nosh"); code != exitUsage || out != "" || !strings.Contains(errOut, "nosh") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	for _, name := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, errOut, code := cli(t, "", "completion", name); code != exitOK || !strings.Contains(out, "firebreak") {
			t.Errorf("%s: exit %d: %s", name, code, errOut)
		}
	}
}

// TestNewIntoAFile: what is no folder is named as the mistake that it is.
func TestNewIntoAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := author(t, "", "playbook", "new", "mine", "--dir", file); code != exitUsage || !strings.Contains(errOut, "is no folder") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}

// TestExplainIsInterrupted: Ctrl-C ends it, however many events there still are.
func TestExplainIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	never, began := make(chan struct{}), make(chan struct{})
	defer close(never)
	ended := make(chan error, 1)
	go func() {
		_, err := abandonable(ctx, func() (int, error) { close(began); <-never; return 0, nil })
		ended <- err
	}()
	<-began
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it was not left")
	}
	want := errors.New("its own")
	if n, err := abandonable(t.Context(), func() (int, error) { return 7, want }); n != 7 || !errors.Is(err, want) {
		t.Errorf("got %d, %v", n, err)
	}
}

// TestTheWatchNamesTheWriter: a node's key can claim what only the core can
// know; people see whose word it is.
func TestTheWatchNamesTheWriter(t *testing.T) {
	var out bytes.Buffer
	w := &watcher{sh: &shell{out: &out}, from: time.Unix(0, 0)}
	e := schemas.Event{Type: schemas.LogGap, ID: "1", Source: "/local/bus", Writer: "node-n1", Stored: time.Unix(1, 0), Data: json.RawMessage(`{"from":1}`)}
	if err := w.event(e); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "by=node-n1") {
		t.Errorf("got %s", out.String())
	}
}
