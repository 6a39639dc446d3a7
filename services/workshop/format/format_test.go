package format_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/workshop/format"
)

const (
	cloudEvent = `{"specversion":"1.0","id":"a","source":"/x","type":"firebreak.host.login.failed","time":"2026-03-01T00:00:00Z","datacontenttype":"application/json","data":{"host":{"name":"n"},"user":{"name":"u"},"login":{}}}`
	audit      = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/secrets","verb":"list","user":{"username":"u"},"sourceIPs":["192.0.2.1"],"objectRef":{"resource":"secrets","namespace":"a","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-03-01T00:00:00Z","stageTimestamp":"2026-03-01T00:00:00Z"}`
	falco      = `{"hostname":"n","output":"o","priority":"Warning","rule":"r","source":"syscall","tags":["t"],"time":"2026-03-01T00:00:00.5Z","output_fields":{"container.id":"c1","proc.name":"sh"}}`
	tetragon   = `{"process_exec":{"process":{"exec_id":"e","pid":7,"binary":"/bin/sh","arguments":"-c id","start_time":"2026-03-01T00:00:00Z"}},"node_name":"n","time":"2026-03-01T00:00:00Z"}`
	pushed     = `{"events":[{"id":"1","timestamp":"2026-03-01T00:00:00Z","action":"push","target":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","repository":"team/app","tag":"1"},"request":{"id":"r","addr":"192.0.2.1:1","host":"registry.example.com","method":"PUT","useragent":"u"},"actor":{"name":"u"},"source":{"addr":"r:1","instanceID":"i"}}]}`
	harbor     = `{"specversion":"1.0","id":"h","source":"/projects/1","type":"harbor.artifact.pushed","datacontenttype":"application/json","time":"2026-03-01T00:00:00Z","operator":"u","data":{"resources":[{"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","tag":"1","resource_url":"registry.example.com/team/app:1"}],"repository":{"name":"app","namespace":"team","repo_full_name":"team/app","repo_type":"private"}}}`
	trivy      = `{"SchemaVersion":2,"CreatedAt":"2026-03-01T00:00:00Z","ArtifactName":"registry.example.com/team/app:1","ArtifactType":"container_image","Metadata":{"RepoDigests":["registry.example.com/team/app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]},"Results":[{"Target":"t","Class":"os-pkgs","Type":"debian","Vulnerabilities":[{"VulnerabilityID":"CVE-2024-1","PkgName":"p","InstalledVersion":"1","Severity":"CRITICAL"}]}]}`
)

func TestEveryFormat(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		format.CloudEvents: cloudEvent, format.Audit: audit, format.Falco: falco, format.Tetragon: tetragon,
		format.Distribution: pushed, format.Harbor: harbor, format.Trivy: trivy,
	}
	for _, name := range format.Names() {
		events, err := format.ForTests(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))(name, []byte(texts[name]))
		if err != nil || len(events) == 0 {
			t.Errorf("%s: %d events, %v", name, len(events), err)
			continue
		}
		for _, e := range events {
			if e.ID == "" || e.Source == "" || e.Time.IsZero() || len(e.Data) == 0 {
				t.Errorf("%s: %+v", name, e)
			}
			if _, known := schemas.Schema(e.Type); !known {
				t.Errorf("%s: type %q", name, e.Type)
			}
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	if _, err := format.Decode("falcon", nil, format.Options{}); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := format.ForTests(time.Time{})(format.CloudEvents, []byte("[]")); err == nil {
		t.Error("a text without an event was taken")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	other := strings.Replace(cloudEvent, `"id":"a"`, `"id":"b"`, 1)
	for _, tt := range []struct {
		name, text string
		want       int
		err        string
	}{
		{"one", cloudEvent, 1, ""},
		{"one over lines", strings.ReplaceAll(cloudEvent, ",", ",\n"), 1, ""},
		{"a list", "[" + cloudEvent + "," + other + "]", 2, ""},
		{"a line each", cloudEvent + "\n\n" + other + "\n", 2, ""},
		{"a bad line among them", cloudEvent + "\n{\n" + other, 2, "line 2: "},
		{"none of it", strings.Repeat("{\n", 100), 0, "and more"},
		{"nothing", "", 0, ""},
	} {
		events, err := format.Text(format.CloudEvents, []byte(tt.text), format.Options{})
		if len(events) != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d events, %v", tt.name, len(events), err)
		}
	}
}
