package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Image is the name of the lab's only image.
const Image = "firebreak.test/busybox:1"

// busybox must be static: the image holds no libraries.
const busybox = "/bin/busybox"

// imagePath is the PATH of the image's containers.
const imagePath = "PATH=/bin"

// archive makes the image as a docker archive.
func archive() ([]byte, error) {
	content, err := layerTar()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithCompressionLevel(1))
	if err != nil {
		return nil, fmt.Errorf("lab: layer of %s: %w", Image, err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("lab: image %s: %w", Image, err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("lab: image %s: %w", Image, err)
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	cfg.Config = v1.Config{Cmd: []string{"/bin/sh"}, Env: []string{imagePath}, WorkingDir: "/"}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		return nil, fmt.Errorf("lab: image %s: %w", Image, err)
	}
	tag, err := name.NewTag(Image)
	if err != nil {
		return nil, fmt.Errorf("lab: image %s: %w", Image, err)
	}
	var out bytes.Buffer
	if err := tarball.Write(tag, img, &out); err != nil {
		return nil, fmt.Errorf("lab: archive of %s: %w", Image, err)
	}
	return out.Bytes(), nil
}

// layerTar is the image's one layer: busybox, a link for each of its applets,
// and the few files that programs look for.
func layerTar() ([]byte, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, fmt.Errorf("lab: %w: install busybox-static", err)
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("lab: applets of %s: %w", busybox, err)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, content []byte) {
		h.Size, h.Format = int64(len(content)), tar.FormatPAX
		if err == nil {
			err = w.WriteHeader(&h)
		}
		if err == nil {
			_, err = w.Write(content)
		}
	}
	for _, d := range []string{"bin", "etc", "root", "proc", "sys", "dev", "run", "var"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: d + "/", Mode: 0o755}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"))
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\nnogroup:x:65534:\n"))
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, program)
	for _, applet := range strings.Fields(string(list)) {
		if applet != "busybox" {
			add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}, nil)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("lab: layer of %s: %w", Image, err)
	}
	return out.Bytes(), nil
}

// imageIn gives the image in the context's namespace, importing it the first time.
func (l *Lab) imageIn(ctx context.Context) (containerd.Image, error) {
	l.importing.Lock()
	defer l.importing.Unlock()
	img, err := l.client.GetImage(ctx, Image)
	if errdefs.IsNotFound(err) {
		if _, err = l.client.Import(ctx, bytes.NewReader(l.image)); err != nil {
			return nil, fmt.Errorf("lab: import %s: %w", Image, err)
		}
		img, err = l.client.GetImage(ctx, Image)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: image %s: %w", Image, err)
	}
	if err := img.Unpack(ctx, l.snapshotter); err != nil {
		return nil, fmt.Errorf("lab: unpack %s with %s: %w", Image, l.snapshotter, err)
	}
	return img, nil
}
