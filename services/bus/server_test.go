package bus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firebreak/schemas"
	"firebreak/services/bus"
)

// All that lies in the data folder is for its owner alone.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	p, err := bus.Find(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if p.Address != s.Address() || !strings.HasPrefix(p.Address, "nats://127.0.0.1:") {
		t.Errorf("address %q, server's %q", p.Address, s.Address())
	}
	for _, u := range []bus.User{bus.Admin, bus.Core, bus.People, bus.Collector("b.example"), bus.Responder("b.example")} {
		if _, err := os.Stat(p.Keyfile(u)); err != nil {
			t.Error(err)
		}
	}
	err = filepath.WalkDir(filepath.Join(cfg.DataDir, "bus"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.Contains(path, "jetstream") {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	dial, err := p.Dial(bus.People)
	if err != nil {
		t.Fatal(err)
	}
	c, err := bus.Dial(soon(t), dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.User() != bus.People {
		t.Errorf("user %s", c.User())
	}
	if _, err := bus.Find(t.TempDir()); !errors.Is(err, bus.ErrUnavailable) {
		t.Errorf("where no bus ever ran: %v", err)
	}
}

func TestEnsureKeysKeeps(t *testing.T) {
	dir := t.TempDir()
	one, err := bus.EnsureKeys(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keyfile(dir, bus.Responder("a"))); err != nil { // it was taken to its node
		t.Fatal(err)
	}
	two, err := bus.EnsureKeys(dir, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if len(two.Keys) != len(one.Keys)+2 {
		t.Errorf("keys: %+v", two)
	}
	for _, k := range one.Keys {
		if d := cmp.Diff(k.Public, two.Public(k.User)); d != "" {
			t.Error(k.User, d)
		}
	}
	if _, err := bus.EnsureKeys(dir, ""); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("a node without a name: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	}()
	cases := map[string]struct {
		change func(*bus.ServerConfig)
		text   string
	}{
		"beyond loopback without TLS": {func(c *bus.ServerConfig) { c.Listen = "0.0.0.0:0" }, "needs TLS"},
		"no port":                     {func(c *bus.ServerConfig) { c.Listen = "127.0.0.1" }, "host:port"},
		"bad port":                    {func(c *bus.ServerConfig) { c.Listen = "127.0.0.1:99999" }, "bad port"},
		"port taken":                  {func(c *bus.ServerConfig) { c.Listen = taken.Addr().String() }, "choose another port"},
		"sync":                        {func(c *bus.ServerConfig) { c.Sync = "sometimes" }, "interval or always"},
		"no certificate":              {func(c *bus.ServerConfig) { c.Cert, c.Key = "/nonexistent", "/nonexistent" }, "bus.tls"},
		"no folder":                   {func(c *bus.ServerConfig) { c.DataDir = "/dev/null" }, "keys of the bus"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			c.change(&cfg)
			s, err := bus.Start(soon(t), cfg)
			if err == nil {
				err = errors.Join(errors.New("it started"), s.Stop(soon(t)))
			}
			if !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v; want %q", err, c.text)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	cfg := config(t)
	cfg.Cert, cfg.Key = certificate(t)
	cfg.Listen = "0.0.0.0:0"
	s := start(t, cfg)
	if !strings.HasPrefix(s.Address(), "tls://127.0.0.1:") {
		t.Errorf("address %s", s.Address())
	}
	p, err := bus.Find(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	dial, err := p.Dial(bus.Core)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := bus.Dial(soon(t), dial); err == nil {
		c.Close()
		t.Error("a certificate of an unknown authority was taken")
	}
	dial.CA = cfg.Cert
	c, err := bus.Dial(soon(t), dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Publish(soon(t), event(t, "1")); err != nil {
		t.Error(err)
	}
	if _, err := client(t, s, bus.Core).Publish(soon(t), event(t, "2")); err != nil {
		t.Errorf("in the same process: %v", err)
	}
}

func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "firebreak test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
