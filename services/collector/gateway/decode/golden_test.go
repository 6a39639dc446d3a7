package decode

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firebreak/schemas"
	"firebreak/services/collector/decodetest"
)

// decoders by the first word of a sample's name.
var decoders = map[string]func([]byte, Options) ([]schemas.Event, error){
	"falco": Falco, "tetragon": Tetragon,
}

// given are the options of the samples.
var given = Options{Source: "/prod/gateway/tools", Time: time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)}

func decoder(t testing.TB, file string) func([]byte, Options) ([]schemas.Event, error) {
	t.Helper()
	name, _, _ := strings.Cut(filepath.Base(file), "-")
	d := decoders[name]
	if d == nil {
		t.Fatalf("%s: no decoder is named %s", file, name)
	}
	return d
}

func TestSamples(t *testing.T) {
	for _, file := range decodetest.Samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			events, err := decoder(t, file)(decodetest.Content(t, file), given)
			decodetest.Golden(t, file, events, err)
		})
	}
}
