package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name   string
		in     []string
		out    string
		failed bool
	}{
		{
			"all pass, and only the sum is told",
			[]string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/sub"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"skip","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"pass","Package":"p","Elapsed":1.25}`,
				`{"Action":"start","Package":"q"}`,
				`{"Action":"skip","Package":"q"}`,
			},
			"ok    p                                                      1.2 s\n" +
				"-     q                                                  no tests\n" +
				"2 passed, 0 failed, 1 skipped\n",
			false,
		},
		{
			"a failed test shows its own output",
			[]string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: want 1\n"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"chatter of another\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p","Test":"TestB"}`,
				`{"Action":"fail","Package":"p","Elapsed":0.1}`,
			},
			"    a_test.go:3: want 1\n" +
				"FAIL  p                                                      0.1 s\n" +
				"\nfailed:\n  p TestA\n" +
				"1 passed, 1 failed, 0 skipped\n",
			true,
		},
		{
			"a build that fails counts",
			[]string{
				`{"ImportPath":"p","Action":"build-output","Output":"# p\n"}`,
				`{"ImportPath":"p","Action":"build-output","Output":"x.go:1:1: syntax error\n"}`,
				`{"ImportPath":"p","Action":"build-fail"}`,
				`{"Action":"start","Package":"p"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			},
			"# p\nx.go:1:1: syntax error\n" +
				"FAIL  p                                                      0.0 s\n" +
				"\nfailed:\n  p\n" +
				"0 passed, 1 failed, 0 skipped\n",
			true,
		},
		{
			"a panic shows what had not ended",
			[]string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			"FAIL\npanic: oh\n" +
				"FAIL  p                                                      0.0 s\n" +
				"\nfailed:\n  p\n" +
				"0 passed, 1 failed, 0 skipped\n",
			true,
		},
		{
			"a package that never ends is a failure",
			[]string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"half\n"}`,
			},
			"half\n" +
				"\nfailed:\n  p (did not end)\n" +
				"1 passed, 1 failed, 0 skipped\n",
			true,
		},
		{
			"go's own words are passed on, and nothing tested is no success",
			[]string{"go: cannot find main module", ""},
			"go: cannot find main module\nno package was tested\n0 passed, 0 failed, 0 skipped\n",
			true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			in := strings.TrimSuffix(strings.Join(tt.in, "\n"), "\n") + "\n"
			failed, err := report(strings.NewReader(in), &out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.out, out.String()); diff != "" {
				t.Error(diff)
			}
			if failed != tt.failed {
				t.Errorf("failed = %t", failed)
			}
		})
	}
}
