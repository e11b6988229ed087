package rig

import (
	"embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
)

// The configurations of nginx.
//
//go:embed *.conf
var nginxConfigurations embed.FS

// nginxFiles fills files.conf.
type nginxFiles struct {
	Place, User            string
	Plain, Secure          string // addresses
	Cert, Key              string
	Root, Listings, Bucket string
}

// nginxProxy fills proxy.conf.
type nginxProxy struct {
	Place, User      string
	Listen, Upstream string // addresses
	TLS              bool
	Cert, Key        string
	Workers          int
}

// nginx starts one with the configuration, filled with values.
func (r *Rig) nginx(name, configuration string, values any) (*Part, error) {
	program, err := findNginx()
	if err != nil {
		return nil, err
	}
	folder, err := r.place(name)
	if err != nil {
		return nil, err
	}
	switch v := values.(type) {
	case nginxFiles:
		v.Place, v.User = folder, nginxUser()
		values = v
	case nginxProxy:
		v.Place, v.User = folder, nginxUser()
		values = v
	}
	t, err := template.ParseFS(nginxConfigurations, configuration)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "nginx.conf")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.Execute(f, values), f.Close()); err != nil {
		return nil, err
	}
	return r.start(name, folder, program, nil, "-p", folder, "-c", path, "-e", filepath.Join(folder, "error.log"))
}

// findNginx looks where Debian puts it, too, which is in nobody's PATH but root's.
func findNginx() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath("/usr/sbin/nginx"); err == nil {
		return path, nil
	}
	return "", errors.New("nginx is not there: .ci/packages bench installs it")
}

// nginxUser is the user of its workers: root's could not read the rig's folder
// as anybody else.
func nginxUser() string {
	if os.Getuid() == 0 {
		return "user root;"
	}
	return ""
}
