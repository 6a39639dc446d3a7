package decode

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/schemas/schemastest"
	"firebreak/services/collector/decodetest"
)

// scan makes a report with n findings, the gravest last.
func scan(t testing.TB, n int) []byte {
	t.Helper()
	var v []map[string]any
	for i := range n {
		severity := "LOW"
		if i >= n-10 {
			severity = "CRITICAL"
		}
		v = append(v, map[string]any{"VulnerabilityID": fmt.Sprintf("CVE-2026-%05d", i), "PkgName": "p", "Severity": severity, "FixedVersion": "2"})
	}
	raw, err := json.Marshal(map[string]any{
		"SchemaVersion": 2, "ArtifactName": "example.com/a/b:1", "ArtifactType": "container_image", "CreatedAt": "2026-03-04T05:06:07Z",
		"Results": []any{map[string]any{"Vulnerabilities": v}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// one decodes a report that is one event.
func one(t *testing.T, raw []byte, o Options) (schemas.Event, schemas.ScanEvent) {
	t.Helper()
	events, err := Trivy(raw, o)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, error %v: want one event", len(events), err)
	}
	schemastest.Valid(t, events[0])
	var d schemas.ScanEvent
	if err := json.Unmarshal(events[0].Data, &d); err != nil {
		t.Fatal(err)
	}
	return events[0], d
}

func TestFindingsAreCut(t *testing.T) {
	for _, tt := range []struct {
		n, most, want int
		cut           bool
	}{
		{199, 0, 199, false},
		{200, 0, 200, false},
		{201, 0, 200, true},
		{5000, 0, 200, true},
		{200, 10_000, 100, true},
		{200, 300, 1, true},
	} {
		o := given
		o.MaxData = tt.most
		e, d := one(t, scan(t, tt.n), o)
		if len(d.Scan.Findings) != tt.want || d.Scan.Cut != tt.cut {
			t.Errorf("%d findings, at most %d bytes: %d are listed, cut %v: want %d, %v", tt.n, tt.most, len(d.Scan.Findings), d.Scan.Cut, tt.want, tt.cut)
		}
		if d.Scan.Critical != 10 || d.Scan.Low != tt.n-10 || d.Scan.Fixable != tt.n {
			t.Errorf("%d findings: counts %+v: want those of all", tt.n, d.Scan)
		}
		if tt.want > 10 && (d.Scan.Findings[0].Severity != "critical" || d.Scan.Findings[10].Severity != "low") {
			t.Errorf("%d findings: the list begins with %+v: want the ten critical ones first", tt.n, d.Scan.Findings[:11])
		}
		if tt.most > 0 && len(e.Data) > tt.most {
			t.Errorf("%d findings: %d bytes, more than %d", tt.n, len(e.Data), tt.most)
		}
	}
	o := given
	o.MaxData = 50
	if _, err := Trivy(scan(t, 1), o); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("error %v: want ErrInvalid, for not even the counts fit", err)
	}
}

func TestReportsHaveIDsOfTheirContent(t *testing.T) {
	text := string(scan(t, 3))
	first, _ := one(t, []byte(text), given)
	for _, tt := range []struct {
		name, in string
		same     bool
	}{
		{"again", text, true},
		{"with space", strings.ReplaceAll(text, `,`, " ,\n"), true},
		{"a later scan", strings.Replace(text, ":07Z", ":08Z", 1), false},
		{"another finding", strings.Replace(text, "CVE-2026-00001", "CVE-2026-00009", 1), false},
		{"another report", strings.Replace(text, `{`, `{"ReportID":"r",`, 1), false},
	} {
		e, _ := one(t, []byte(tt.in), given)
		if (e.ID == first.ID) != tt.same {
			t.Errorf("%s: ids %s and %s: want them to be the same: %v", tt.name, first.ID, e.ID, tt.same)
		}
	}
	// Without a time of its own, when it came in is no part of the report.
	timeless := []byte(strings.Replace(text, `"CreatedAt":"2026-03-04T05:06:07Z",`, "", 1))
	later := given
	later.Time = given.Time.Add(time.Hour)
	a, _ := one(t, timeless, given)
	b, _ := one(t, timeless, later)
	if a.ID != b.ID || !b.Time.Equal(later.Time) {
		t.Errorf("ids %s and %s, time %s: want one id, and the time that was given", a.ID, b.ID, b.Time)
	}
	if _, err := Trivy(timeless, Options{Source: "/x"}); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("error %v: want ErrInvalid, for there is no time", err)
	}
}

func TestWhatIsOfNoImage(t *testing.T) {
	for file, want := range map[string]bool{
		"trivy-filesystem": true, "trivy-operator-list": true, "trivy-old": false, "trivy-neither": false,
	} {
		_, err := Trivy(decodetest.Content(t, "testdata/"+file+".json"), given)
		if err == nil || errors.Is(err, ErrNoImage) != want {
			t.Errorf("%s: error %v: want one that wraps ErrNoImage: %v", file, err, want)
		}
	}
}

func TestImageOfAReport(t *testing.T) {
	tests := []struct {
		name         string
		artifact     string
		tags         []string
		digests      []string
		registry     string
		image        schemas.Image
		otherwiseRef string
	}{
		{"a short name", "nginx", []string{"nginx:latest"}, nil, "docker.io", schemas.Image{Name: "library/nginx", Tag: "latest"}, ""},
		{
			"by digest", "ghcr.io/a/b@sha256:" + strings.Repeat("1", 64), nil, nil, "ghcr.io",
			schemas.Image{Name: "a/b", Digest: "sha256:" + strings.Repeat("1", 64)},
			"",
		},
		{
			"digest of another repository", "ghcr.io/a/b:1", nil,
			[]string{"quay.io/a/b@sha256:" + strings.Repeat("1", 64)},
			"ghcr.io",
			schemas.Image{Name: "a/b", Tag: "1"},
			"",
		},
		{"an archive", "out/b.tar", []string{"ghcr.io/a/b:1"}, nil, "ghcr.io", schemas.Image{Name: "a/b", Tag: "1"}, ""},
		{"an archive without tags", "./b.tgz", nil, nil, "", schemas.Image{Name: "./b.tgz"}, ""},
		{"an archive and where it came from", "b.tar", nil, nil, "ghcr.io", schemas.Image{Name: "a/b", Tag: "2"}, "ghcr.io/a/b:2"},
		{"an id", "sha256:" + strings.Repeat("2", 64), []string{"ghcr.io/a/b:1"}, nil, "ghcr.io", schemas.Image{Name: "a/b", Tag: "1"}, ""},
		{"no reference", "Not A Reference", nil, nil, "", schemas.Image{Name: "Not A Reference"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := report{ArtifactName: tt.artifact}
			r.Metadata.RepoTags, r.Metadata.RepoDigests, r.Metadata.Reference = tt.tags, tt.digests, tt.otherwiseRef
			registry, got := r.image()
			if diff := cmp.Diff(registryOf(tt.registry), registry); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.image, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClient(t *testing.T) {
	for in, want := range map[string]*schemas.Client{
		"192.0.2.7:51422":         {Address: "192.0.2.7", Port: 51422},
		"192.0.2.7":               {Address: "192.0.2.7"},
		"[2001:db8::5]:443":       {Address: "2001:db8::5", Port: 443},
		"2001:db8::5":             {Address: "2001:db8::5"},
		"[2001:db8::5]":           {Address: "2001:db8::5"},
		"[::ffff:192.0.2.7]:1234": {Address: "192.0.2.7", Port: 1234},
		"proxy.internal:80":       nil,
		"":                        nil,
	} {
		if diff := cmp.Diff(want, clientOf(in)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

func TestManyBadItemsMakeAShortError(t *testing.T) {
	for name, in := range map[string]string{
		"distribution": `{"events":[` + strings.Repeat("0,", 5000) + `0]}`,
		"trivy":        `{"items":[` + strings.Repeat("0,", 5000) + `0]}`,
	} {
		_, err := decoders[name]([]byte(in), given)
		if err == nil || strings.Count(err.Error(), "\n") != mostProblems || !strings.Contains(err.Error(), "and 4991 more") {
			t.Errorf("%s: error %v: want %d lines, and how many more there are", name, err, mostProblems)
		}
		if !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: error %v does not wrap ErrInvalid", name, err)
		}
	}
}

// Lists within lists end.
func TestNestedLists(t *testing.T) {
	in := strings.Repeat(`{"items":[`, 50) + `0` + strings.Repeat(`]}`, 50)
	if _, err := Trivy([]byte(in), given); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("error %v: want ErrInvalid", err)
	}
}

func fuzz(f *testing.F, decode func([]byte, Options) ([]schemas.Event, error)) {
	for _, file := range decodetest.Samples(f) {
		f.Add(decodetest.Content(f, file))
	}
	f.Add([]byte("null"))
	f.Add([]byte(`{"events":[null,{}]}`))
	f.Add([]byte(`{"items":[{"operatorObject":{}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := decode(text, given)
		if err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("error %v does not wrap ErrInvalid", err)
		}
		for _, e := range events {
			if err := schemastest.Check(e); err != nil {
				t.Errorf("%+v: %v", e, err)
			}
		}
		again, _ := decode(text, given)
		if diff := cmp.Diff(events, again); diff != "" {
			t.Errorf("the second time it gives something else: %s", diff)
		}
	})
}

func FuzzDistribution(f *testing.F) { fuzz(f, Distribution) }
func FuzzHarbor(f *testing.F)       { fuzz(f, Harbor) }
func FuzzTrivy(f *testing.F)        { fuzz(f, Trivy) }

func BenchmarkDecoders(b *testing.B) {
	bodies := map[string][]byte{"trivy-5000-findings": scan(b, 5000)}
	for _, name := range []string{"distribution-mixed", "harbor-scan-completed", "trivy-operator"} {
		bodies[name] = decodetest.Content(b, "testdata/"+name+".json")
	}
	for name, body := range bodies {
		decode := decoder(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(body, given); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
