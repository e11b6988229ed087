package store

import (
	"errors"

	"github.com/zalando/go-keyring"

	"github.com/gimme-broker/gimme/internal/secret"
)

// service is what our entries are filed under.
const service = "gimme"

// system is the keyring of the operating system, for the person who runs this
// process: the Secret Service, the Keychain or the Credential Manager.
type system struct{}

func (system) Name() string { return systemName }

func (system) Get(entry string) (secret.Text, error) {
	if err := ready(); err != nil {
		return secret.Text{}, err
	}
	text, err := keyring.Get(service, entry)
	return secret.New(text), known(err)
}

func (system) Set(entry string, t secret.Text) error {
	if err := ready(); err != nil {
		return err
	}
	return known(keyring.Set(service, entry, t.Reveal()))
}

func (system) Delete(entry string) error {
	if err := ready(); err != nil {
		return err
	}
	return known(keyring.Delete(service, entry))
}

func known(err error) error {
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNoEntry
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return errLarge
	}
	return err
}
