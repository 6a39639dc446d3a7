package exec

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
)

func TestParseStat(t *testing.T) {
	const rest = " S 12 3 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 250 1000 2"
	tests := map[string]struct {
		text   string
		parent int
		start  uint64
		err    error
	}{
		"plain":               {"7 (sh)" + rest, 12, 2_500_000_000, nil},
		"a name with trouble": {"7 (a) R 1 (b)" + rest, 12, 2_500_000_000, nil},
		"cut":                 {"7 (sh) S 12", 0, 0, schemas.ErrInvalid},
		"empty":               {"", 0, 0, schemas.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			parent, start, err := parseStat(test.text)
			if parent != test.parent || start != test.start || !errors.Is(err, test.err) {
				t.Errorf("got %d, %d, %v", parent, start, err)
			}
		})
	}
}

func TestParseMount(t *testing.T) {
	tests := map[string]struct {
		line string
		want mountPoint
		err  error
	}{
		"disk": {
			"36 35 98:1 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
			mountPoint{id: "36", device: 98<<20 | 1, point: "/mnt2"},
			nil,
		},
		"overlay": {
			"500 400 0:55 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w\n",
			mountPoint{id: "500", device: 55, point: "/", options: map[string]string{
				"rw": "", "lowerdir": "/l", "upperdir": "/u", "workdir": "/w",
			}},
			nil,
		},
		"no dash":   {"36 35 98:1 /mnt1 /mnt2 rw\n", mountPoint{}, schemas.ErrInvalid},
		"no device": {"36 35 98 / / rw - ext3 a b\n", mountPoint{}, schemas.ErrInvalid},
		"empty":     {"\n", mountPoint{}, schemas.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseMount(test.line)
			if !errors.Is(err, test.err) {
				t.Fatalf("error: %v", err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(mountPoint{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
