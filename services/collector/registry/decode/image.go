package decode

import (
	"net/netip"
	"strings"

	"github.com/distribution/reference"

	"firebreak/schemas"
)

// split takes an image's reference apart, with Docker Hub's short names written
// out as container runtimes write them: docker.io and library/alpine.
func split(text string) (registry string, image schemas.Image, ok bool) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "", schemas.Image{}, false
	}
	image.Name = reference.Path(named)
	if tagged, is := named.(reference.Tagged); is {
		image.Tag = tagged.Tag()
	}
	if digested, is := named.(reference.Digested); is {
		image.Digest = digested.Digest().String()
	}
	return reference.Domain(named), image, true
}

// hub gives Docker Hub the one name under which runtimes know it.
func hub(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	}
	return host
}

func registryOf(host string) *schemas.Registry {
	if host == "" {
		return nil
	}
	return &schemas.Registry{Name: hub(host)}
}

// subjectOf names the image as closely as it is known.
func subjectOf(registry *schemas.Registry, image *schemas.Image) string {
	if image == nil {
		return ""
	}
	subject := image.Name
	if registry != nil {
		subject = registry.Name + "/" + subject
	}
	switch {
	case image.Digest != "":
		return subject + "@" + image.Digest
	case image.Tag != "":
		return subject + ":" + image.Tag
	}
	return subject
}

// clientOf reads an address with or without a port. What is no IP address, such
// as a name behind a proxy, is left out.
func clientOf(text string) *schemas.Client {
	if both, err := netip.ParseAddrPort(text); err == nil {
		return &schemas.Client{Address: both.Addr().Unmap().String(), Port: int(both.Port())}
	}
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return &schemas.Client{Address: addr.Unmap().String()}
	}
	return nil
}

func userOf(name string) *schemas.User {
	if name == "" {
		return nil
	}
	return &schemas.User{Name: name}
}
