package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gimme-broker/gimme/internal/durable"
)

// version is the layout of all files. Files of another are passed over.
const version = 1

// limit is what one file may have, in bytes. An ID token with hundreds of
// groups has some ten thousand.
const limit = 256 << 10

// The rooms of the folder.
const (
	credentialsRoom = "credentials"
	loginsRoom      = "logins"
	tokensRoom      = "tokens"
	pausesRoom      = "pauses"
	noticesRoom     = "notices"
	locksRoom       = "locks"
)

// A file is what stands in one: data in an envelope with the version.
type file[T any] struct {
	Version int `json:"version"`
	Data    T   `json:"data"`
}

// path is the file of key, or an error where key could lead elsewhere.
func (s *Store) path(room, key string) (string, error) {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if key == "" || len(key) > 128 || strings.TrimLeftFunc(key, plain) != "" {
		return "", fmt.Errorf("%q is no key of the store", key)
	}
	return filepath.Join(s.folder, room, key+".json"), nil
}

// read returns what stands in a file, or nil where there is none, or none that
// this version understands: a file that was torn, or is of another time, must
// not stop anybody for ever.
func read[T any](s *Store, room, key string) (*T, error) {
	path, err := s.path(room, key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err // says open, the path and why
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, nil
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var content file[T]
	if json.Unmarshal(data, &content) != nil || content.Version != version {
		return nil, nil
	}
	return &content.Data, nil
}

// write puts data in the place of a file, in one step.
func write[T any](s *Store, room, key string, data T) error {
	path, err := s.path(room, key)
	if err != nil {
		return err
	}
	text, err := json.Marshal(file[T]{version, data})
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if len(text) > limit {
		return fmt.Errorf("write %s: %d bytes are more than a file of the store may have", path, len(text))
	}
	if err := s.room(room); err != nil {
		return err
	}
	s.sweep(room)
	return durable.Replace(path, text, 0o600)
}

// drop takes a file away. None is fine.
func (s *Store) drop(room, key string) error {
	path, err := s.path(room, key)
	if err != nil {
		return err
	}
	s.sweep(room)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// room makes the folder of a room and makes sure that it is ours alone to
// write.
func (s *Store) room(name string) error {
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return err
	}
	for _, folder := range []string{s.folder, filepath.Join(s.folder, name)} {
		if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, err := os.Stat(folder)
		if err != nil {
			return err
		}
		if err := ours(folder, info); err != nil {
			return err
		}
	}
	return nil
}

// sweep takes away what writers left that were killed: nobody else would, and
// there are secrets in it.
func (s *Store) sweep(room string) {
	left, _ := filepath.Glob(filepath.Join(s.folder, room, ".gimme-*"))
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.Remove(path)
		}
	}
}
