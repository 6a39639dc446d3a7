package decode

import (
	"path"
	"strings"

	"github.com/distribution/reference"

	"firebreak/schemas"
)

// containerImage takes an image's name apart. What is no reference stays whole
// as the name.
func containerImage(name string) *schemas.ContainerImage {
	if name == "" {
		return nil
	}
	image := &schemas.ContainerImage{Name: name}
	ref, err := reference.Parse(name)
	if err != nil {
		return image
	}
	if named, ok := ref.(reference.Named); ok {
		image.Name = named.Name()
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		image.Tag = tagged.Tag()
	}
	if digested, ok := ref.(reference.Digested); ok {
		image.Digest = digested.Digest().String()
	}
	return image
}

// scheme splits what stands before "://" off.
func scheme(text string) (of, rest string) {
	if of, rest, found := strings.Cut(text, "://"); found {
		return of, rest
	}
	return "", text
}

// executable has a path, or a name alone, or is nil.
func executable(file, name string) *schemas.Executable {
	switch {
	case file != "":
		return &schemas.Executable{Path: file, Name: path.Base(file)}
	case name != "":
		return &schemas.Executable{Name: name}
	}
	return nil
}

func host(name string) *schemas.Host {
	if name == "" {
		return nil
	}
	return &schemas.Host{Name: name}
}

// subject is what an event is about, as closely as it is known.
func subject(c *schemas.Container, k *schemas.K8s, h *schemas.Host) string {
	switch {
	case c != nil:
		return c.ID
	case k != nil && k.Pod != nil && k.Namespace != nil:
		return k.Namespace.Name + "/" + k.Pod.Name
	case h != nil:
		return h.Name
	}
	return ""
}
