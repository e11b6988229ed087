// Package athand answers what SDKs ask gimme most, a profile's credentials that
// are at hand, before the rest of the program is made ready. SDKs run gimme for
// every start of their own, and readying what the sidecar and the demo need
// takes longer than the answer.
//
// It decides nothing. A run that took the long way and found credentials that
// last leaves a note: which variables and files that answer depended on, and
// from when until when it holds. While all of that is as it was, the answer is
// what stands in the file of credentials. The note holds no credentials.
//
// It is the one package with an init that does something. That is what it is
// for: packages are made ready in the order of their import paths, and this one
// stands on nothing that comes late. So path/filepath, which does, is not
// imported where there are answers.
package athand

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"
)

func init() {
	if len(os.Args) == 4 && os.Args[1] == "credential-process" && os.Args[2] == "--profile" &&
		answer(os.Stdout, os.Getenv, os.Args[3], time.Now()) {
		os.Exit(0)
	}
}

// A Note says what an answer depends on.
type Note struct {
	Env         map[string]string `json:"env"` // the variables that were read; empty: not set
	Config      Stamp             `json:"config"`
	Credentials Stamp             `json:"credentials"`
	From        time.Time         `json:"from"` // of the time in which it holds
	Until       time.Time         `json:"until"`
}

// A Stamp tells one version of a file from the next.
type Stamp struct {
	Path  string `json:"path"`
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
	Time  int64  `json:"time"` // of its last change, in nanoseconds of Unix time
}

// maxFile is the largest file that is read, in bytes.
const maxFile = 64 << 10

// NotePath is where the note of a profile is, or empty where there can be none.
func NotePath(getenv func(string) string, profile string) string {
	folder := getenv("GIMME_STATE_DIR")
	if folder == "" {
		state := getenv("XDG_STATE_HOME")
		if !isAbs(state) {
			state = join(getenv("HOME"), ".local", "state")
		}
		folder = join(state, "gimme")
	}
	if !isAbs(folder) || profile == "" || len(profile) > 128 || profile[0] == '.' || strings.ContainsAny(profile, "/\\\x00") {
		return ""
	}
	return join(folder, "at-hand", profile+".json")
}

// answer prints the credentials of a profile, if a note says that they are the
// answer. It has printed nothing if not.
func answer(w io.Writer, getenv func(string) string, profile string, now time.Time) bool {
	path := NotePath(getenv, profile)
	if path == "" {
		return false
	}
	var n Note
	data, _, ok := readPrivate(path)
	if !ok || json.Unmarshal(data, &n) != nil || now.Before(n.From) || !now.Before(n.Until) || len(n.Env) == 0 {
		return false
	}
	for name, value := range n.Env {
		if getenv(name) != value {
			return false
		}
	}
	if config, ok := StampOf(n.Config.Path); !ok || config != n.Config {
		return false
	}
	data, stamp, ok := readPrivate(n.Credentials.Path)
	if !ok || stamp != n.Credentials {
		return false
	}
	// As the store writes them.
	var kept struct {
		Data struct {
			ID      string    `json:"access_key_id"`
			Secret  string    `json:"secret_access_key"`
			Token   string    `json:"session_token"`
			Expires time.Time `json:"expires"`
		} `json:"data"`
	}
	if json.Unmarshal(data, &kept) != nil || kept.Data.ID == "" || kept.Data.Secret == "" {
		return false
	}
	return Print(w, kept.Data.ID, kept.Data.Secret, kept.Data.Token, kept.Data.Expires) == nil
}

// Print writes the one JSON object that SDKs read.
func Print(w io.Writer, id, secret, token string, expires time.Time) error {
	data, err := json.Marshal(struct {
		Version                                                int
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
	}{1, id, secret, token, expires.UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
