package rig

import (
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// An Upstream is a store, running.
type Upstream struct {
	Name   string
	Part   *Part
	plain  string // address
	secure string // address with TLS; "": it has none
}

// Files is nginx that serves files and checks nothing. It takes no uploads.
func (r *Rig) Files() (*Upstream, error) {
	plain, err := freeAddress()
	if err != nil {
		return nil, err
	}
	secure, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := r.nginx("files", "files.conf", nginxFiles{Plain: plain, Secure: secure, Cert: r.pair.cert, Key: r.pair.key, Root: filepath.Join(r.folder, "data"), Listings: filepath.Join(r.folder, "listings"), Bucket: Bucket})
	if err != nil {
		return nil, err
	}
	return &Upstream{"nginx", p, plain, secure}, p.ready(plain)
}

// Sink takes uploads, and throws them away.
func (r *Rig) Sink() (*Upstream, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := r.run("sink", "sink", nil, "-listen", address)
	if err != nil {
		return nil, err
	}
	return &Upstream{"sink", p, address, ""}, p.ready(address)
}

// Versitygw is a real S3 server on a file system, which verifies everything.
func (r *Rig) Versitygw() (*Upstream, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	iam, err := r.place("iam")
	if err != nil {
		return nil, err
	}
	p, err := r.run("versitygw", "versitygw", nil, "--keep-alive", "-p", address, "-q", "-a", keys.AccessKeyID, "-s", keys.SecretAccessKey,
		"--iam-dir", iam, "posix", filepath.Join(r.folder, "data"))
	if err != nil {
		return nil, err
	}
	return &Upstream{"versitygw", p, address, ""}, p.ready(address)
}

// run starts a program that the tree makes, in a folder of its own.
func (r *Rig) run(name, program string, env []string, args ...string) (*Part, error) {
	path, err := r.program(program)
	if err != nil {
		return nil, err
	}
	folder, err := r.place(name)
	if err != nil {
		return nil, err
	}
	return r.start(name, folder, path, env, args...)
}

// Straight is the way with nothing in between.
func (r *Rig) Straight(u *Upstream, secure bool) (*Way, error) {
	address := u.plain
	if secure {
		address = u.secure
	}
	w, err := r.way("straight", address, secure, u.Part, keys)
	if err != nil {
		return nil, err
	}
	w.Part = nil
	return w, nil
}

// NginxProxy is nginx as a plain reverse proxy.
func (r *Rig) NginxProxy(u *Upstream, secure bool, workers int) (*Way, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := r.nginx("nginx", "proxy.conf", nginxProxy{Listen: address, TLS: secure, Cert: r.pair.cert, Key: r.pair.key, Upstream: u.plain, Workers: workers})
	if err != nil {
		return nil, err
	}
	w, err := r.way("nginx", address, secure, p, keys)
	if err != nil {
		return nil, err
	}
	w.Workers = workers
	return w, nil
}

// GoProxy is a plain Go reverse proxy.
func (r *Rig) GoProxy(u *Upstream, secure bool) (*Way, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"-listen", address, "-upstream", "http://" + u.plain}
	if secure {
		args = append(args, "-cert", r.pair.cert, "-key", r.pair.key)
	}
	p, err := r.run("go", "reverseproxy", nil, args...)
	if err != nil {
		return nil, err
	}
	return r.way("go", address, secure, p, keys)
}

// proxyKeys are those that clients of versitygw and rclone sign with.
var proxyKeys = aws.Credentials{AccessKeyID: "PROXYKEYID0000000001", SecretAccessKey: "proxy-secret-of-nobody-0123456789abcdef01"}

// VersitygwProxy is versitygw in front of another S3.
func (r *Rig) VersitygwProxy(u *Upstream, secure bool) (*Way, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{"--keep-alive", "-p", address, "-q", "-a", proxyKeys.AccessKeyID, "-s", proxyKeys.SecretAccessKey}
	if secure {
		args = append(args, "--cert", r.pair.cert, "--key", r.pair.key)
	}
	// Without the last two it answers uploads over plain HTTP with an error.
	args = append(args, "s3", "-a", keys.AccessKeyID, "-s", keys.SecretAccessKey, "--endpoint", "http://"+u.plain, "--use-path-style", "--disable-checksum", "--disable-data-integrity-check")
	p, err := r.run("versitygw-s3", "versitygw", nil, args...)
	if err != nil {
		return nil, err
	}
	return r.way("versitygw-s3", address, secure, p, proxyKeys)
}

// RcloneProxy is rclone's serve s3 in front of another S3.
func (r *Rig) RcloneProxy(u *Upstream, secure bool) (*Way, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder, err := r.place("rclone-config")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(folder, "rclone.conf")
	text := "[up]\ntype = s3\nprovider = Other\nforce_path_style = true\nendpoint = http://" + u.plain +
		"\naccess_key_id = " + keys.AccessKeyID + "\nsecret_access_key = " + keys.SecretAccessKey + "\nregion = " + Region + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	// What it knows of the upstream it may believe for the whole run, which
	// spares it requests of its own.
	args := []string{"serve", "s3", "up:", "--addr", address, "--auth-key", proxyKeys.AccessKeyID + "," + proxyKeys.SecretAccessKey,
		"--config", config, "--log-level", "ERROR", "--vfs-cache-mode", "off", "--dir-cache-time", "1h", "--poll-interval", "0", "--use-server-modtime"}
	if secure {
		args = append(args, "--cert", r.pair.cert, "--key", r.pair.key)
	}
	p, err := r.run("rclone", "rclone", nil, args...)
	if err != nil {
		return nil, err
	}
	return r.way("rclone", address, secure, p, proxyKeys)
}
