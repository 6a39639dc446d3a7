package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"

	"firebreak/services/playbook/near"
)

// config is the configuration file; docs/configuration.md explains each key.
type config struct {
	DataDir     string        `mapstructure:"data_dir"`
	ClusterName string        `mapstructure:"cluster_name"`
	NodeName    string        `mapstructure:"node_name"`
	Bus         busConfig     `mapstructure:"bus"`
	Library     string        `mapstructure:"library"`
	Playbooks   []string      `mapstructure:"playbooks"`
	Guardrail   string        `mapstructure:"guardrail"`
	Runtime     runtimeConfig `mapstructure:"runtime"`
	Log         logConfig     `mapstructure:"log"`
}

type busConfig struct {
	URL    string    `mapstructure:"url"`
	Listen string    `mapstructure:"listen"`
	NKey   string    `mapstructure:"nkey"`
	Roster string    `mapstructure:"roster"`
	CA     string    `mapstructure:"ca"`
	TLS    tlsConfig `mapstructure:"tls"`
	Sync   string    `mapstructure:"sync"`
}

type tlsConfig struct {
	Cert string `mapstructure:"cert"`
	Key  string `mapstructure:"key"`
}

type runtimeConfig struct {
	Containerd containerdConfig `mapstructure:"containerd"`
	Exec       string           `mapstructure:"exec"`
}

type containerdConfig struct {
	Address    string   `mapstructure:"address"`
	Namespaces []string `mapstructure:"namespaces"`
}

type logConfig struct {
	Level  string `mapstructure:"level"`
	Format string `mapstructure:"format"`
}

var configDefaults = map[string]any{
	"data_dir": "./data", "cluster_name": "local", "node_name": "",
	"bus.url": "", "bus.listen": "127.0.0.1:0", "bus.nkey": "", "bus.roster": "", "bus.ca": "",
	"bus.tls.cert": "", "bus.tls.key": "", "bus.sync": "interval",
	"library": "observe", "playbooks": []string{}, "guardrail": "",
	"runtime.containerd.address":    "/run/containerd/containerd.sock",
	"runtime.containerd.namespaces": []string{"default", "k8s.io"},
	"runtime.exec":                  "auto",
	"log.level":                     "info", "log.format": "auto",
}

const envPrefix = "FIREBREAK"

// loadConfig reads the file that --config, FIREBREAK_CONFIG or the working
// folder names, and the FIREBREAK_* variables above it. Every error is the
// user's to mend and says where.
func loadConfig(path string) (config, error) {
	if path == "" {
		path = os.Getenv(envPrefix + "_CONFIG")
	}
	if path == "" {
		if _, err := os.Stat("firebreak.yaml"); err == nil {
			path = "firebreak.yaml"
		}
	}
	v := viper.New()
	for key, value := range configDefaults {
		v.SetDefault(key, value)
	}
	v.SetEnvPrefix(envPrefix)
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	if err := checkVariables(os.Environ()); err != nil {
		return config{}, usageError{err}
	}
	base := "."
	if path != "" {
		raw, err := readRegular(path)
		if err != nil {
			return config{}, usageError{err}
		}
		if err := checkKeys(path, raw); err != nil {
			return config{}, usageError{err}
		}
		v.SetConfigType("yaml")
		if err := v.ReadConfig(strings.NewReader(string(raw))); err != nil {
			return config{}, usagef("configuration %s: %w", path, err)
		}
		base = filepath.Dir(path)
	}
	var c config
	if err := v.UnmarshalExact(&c); err != nil {
		return config{}, usagef("configuration %s: %w", path, err)
	}
	c.Library = v.GetString("library") // `false` is a word of its own here, not a number
	if err := c.finish(base); err != nil {
		return config{}, usagef("configuration %s: %w", named(path), err)
	}
	return c, nil
}

func named(path string) string {
	if path == "" {
		return "(none; the defaults and " + envPrefix + "_* variables)"
	}
	return path
}

// readRegular reads a file, and refuses what would block or never end.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", path)
	case err != nil:
		return nil, fmt.Errorf("cannot look at %s: %w", path, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > 8<<20:
		return nil, fmt.Errorf("%s is larger than 8 MiB", path)
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return raw, nil
}

// finish resolves paths from the file's folder and checks the values.
func (c *config) finish(base string) error {
	for _, p := range []*string{&c.DataDir, &c.Bus.NKey, &c.Bus.Roster, &c.Bus.CA, &c.Bus.TLS.Cert, &c.Bus.TLS.Key, &c.Guardrail, &c.Runtime.Containerd.Address} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	for i, p := range c.Playbooks {
		if p != "" && !filepath.IsAbs(p) {
			c.Playbooks[i] = filepath.Join(base, p)
		}
	}
	if c.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("node_name is not set and the host has no name: %w", err)
		}
		c.NodeName = host
	}
	for _, check := range []struct {
		key, value string
		allowed    []string
	}{
		{"library", c.Library, []string{"observe", "enforce", "false"}},
		{"bus.sync", c.Bus.Sync, []string{"interval", "always"}},
		{"runtime.exec", c.Runtime.Exec, []string{"auto", "bpf", "proc", "off"}},
		{"log.level", c.Log.Level, []string{"debug", "info", "warn", "error"}},
		{"log.format", c.Log.Format, []string{"auto", "text", "json"}},
	} {
		if !slices.Contains(check.allowed, check.value) {
			return fmt.Errorf("%s is %q; it can be %s", check.key, check.value, strings.Join(check.allowed, ", "))
		}
	}
	if c.DataDir == "" {
		return errors.New("data_dir is empty; name a folder for the logs and keys")
	}
	if c.ClusterName == "" {
		return errors.New("cluster_name is empty; name the cluster that the events speak of")
	}
	if slices.Contains(c.Runtime.Containerd.Namespaces, "") || slices.Contains(c.Playbooks, "") {
		return errors.New("runtime.containerd.namespaces and playbooks take no empty name")
	}
	if len(c.Runtime.Containerd.Namespaces) == 0 {
		return errors.New("runtime.containerd.namespaces is empty; name at least one, such as default")
	}
	if (c.Bus.TLS.Cert == "") != (c.Bus.TLS.Key == "") {
		return errors.New("bus.tls wants both cert and key, or neither")
	}
	if c.Bus.URL != "" && c.Bus.NKey == "" {
		return errors.New("bus.url names an external NATS, and bus.nkey no key file to log in with: `firebreak bus users --help` tells how to make one")
	}
	return nil
}

// keys lists every key of the configuration, such as "bus.tls.cert".
func keys() []string {
	var all []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for i := range t.NumField() {
			f := t.Field(i)
			key := prefix + f.Tag.Get("mapstructure")
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, key+".")
				continue
			}
			all = append(all, key)
		}
	}
	walk(reflect.TypeFor[config](), "")
	return all
}

// checkKeys refuses unknown and repeated keys, with their place.
func checkKeys(path string, raw []byte) error {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s:%d: a second document: the configuration is one", path, max(second.Line, 1))
	}
	known := keys()
	var walk func(n *yaml.Node, prefix string) error
	walk = func(n *yaml.Node, prefix string) error {
		if n.Kind != yaml.MappingNode {
			what := strings.TrimSuffix(prefix, ".")
			if what == "" {
				what = "the configuration"
			}
			return fmt.Errorf("%s:%d:%d: %s wants keys and values here", path, n.Line, n.Column, what)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, value := n.Content[i], n.Content[i+1]
			key := prefix + k.Value
			if slices.Contains(known, key) {
				continue
			}
			group := slices.ContainsFunc(known, func(s string) bool { return strings.HasPrefix(s, key+".") })
			if !group {
				return fmt.Errorf("%s:%d:%d: unknown key %q%s", path, k.Line, k.Column, key, near.Hint(key, known))
			}
			if err := walk(value, key+"."); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(doc.Content[0], "")
}

// checkVariables refuses FIREBREAK_* variables that set nothing.
func checkVariables(environ []string) error {
	known := []string{envPrefix + "_CONFIG"}
	for _, k := range keys() {
		known = append(known, envPrefix+"_"+strings.ToUpper(strings.ReplaceAll(k, ".", "_")))
	}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, envPrefix+"_") && !slices.Contains(known, name) {
			return fmt.Errorf("unknown variable %s%s", name, near.Hint(name, known))
		}
	}
	return nil
}
